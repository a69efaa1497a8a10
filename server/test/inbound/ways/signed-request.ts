import { createHmac } from 'node:crypto'
import type { Brand } from '../../../src/config.ts'
import { brandOf } from '../../bellhop.ts'
import type { TestIssuer } from '../../http/tokens/test-issuer.ts'

export const SECRET = Buffer.from('a secret of thirty-two bytes, ok')

/** `acme` takes mail by HTTP; `globex` has no secret. */
export function brandsWithSecret(issuer: TestIssuer): Brand[] {
  const inbound = { imap: null, secret: SECRET, trustedAuthservIds: [], acceptNew: true }
  return [brandOf('acme', issuer, { inbound }), brandOf('globex', issuer)]
}

/** A mail of a customer, with any number of octets behind it. */
export function aMail(subject = 'My order', more = 0): Buffer {
  const head = [
    'From: Ada Lovelace <ada@example.com>',
    'To: support@acme.example',
    `Subject: ${subject}`,
    'Message-ID: <one@example.com>',
    'MIME-Version: 1.0',
    'Content-Type: text/plain; charset=utf-8',
  ]
  return Buffer.from(`${head.join('\r\n')}\r\n\r\nIt has not arrived.\r\n${'x'.repeat(more)}`)
}

export type Signing = { secret?: Buffer; seconds?: number; signature?: string; type?: string }

/** The headers of a signed request. @param signing.seconds since 1970, now unless told */
export function signed(raw: Buffer, signing: Signing = {}): Record<string, string> {
  const { secret = SECRET, seconds = Math.floor(Date.now() / 1000), type = 'message/rfc822' } = signing
  const mac = createHmac('sha256', secret).update(`${seconds}.`).update(raw).digest('hex')
  return {
    'content-type': type,
    'bellhop-timestamp': String(seconds),
    'bellhop-signature': signing.signature ?? `v1=${mac}`,
  }
}
