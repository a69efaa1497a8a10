import { createHmac } from 'node:crypto'

/** How a mail is handed over by HTTP: `POST /v1/inbound/{brand}`, signed over the time and the bytes. */
export function signedHeaders(secret: Buffer, mail: Buffer, seconds: number): Record<string, string> {
  const mac = createHmac('sha256', secret).update(`${seconds}.`).update(mail).digest('hex')
  return {
    'content-type': 'message/rfc822',
    'bellhop-timestamp': String(seconds),
    'bellhop-signature': `v1=${mac}`,
  }
}

/** The head of such a request as it goes over the wire; the mail follows it. */
export function signedHead(brandId: string, secret: Buffer, mail: Buffer, seconds: number): Buffer {
  const fields = Object.entries(signedHeaders(secret, mail, seconds)).map(
    ([name, value]) => `${name}: ${value}\r\n`,
  )
  return Buffer.from(
    `POST /v1/inbound/${brandId} HTTP/1.1\r\nHost: 127.0.0.1\r\n${fields.join('')}Content-Length: ${mail.length}\r\n\r\n`,
  )
}
