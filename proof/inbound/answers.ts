import { randomBytes } from 'node:crypto'

/** Of these mails. */
export const SENDER = 'ada@example.com'
export const AUTHSERV_ID = 'mx.acme.example'
const QUOTED =
  '> It was due on Monday, and the page only says that it is on its way. I am sorry for that.\r\n'

/**
 * Makes mails of about so many bytes, as a mailbox provider hands them on: with what it found of their authentication,
 * as text and as HTML, with what they answer quoted below. No two have the same Message-ID.
 * @param to where the next one goes
 */
export function mailsOf(bytes: number, to: () => string): () => Buffer {
  const quoted = QUOTED.repeat(Math.max(1, Math.round((bytes - 1500) / 2 / QUOTED.length)))
  const text = `It has come. Thank you!\r\n\r\nOn Mon, 1 Jan 2035 at 09:00, Acme Support wrote:\r\n\r\n${quoted}`
  const html = `<div>It has come. Thank you!</div><blockquote>${quoted.replaceAll('> ', '')}</blockquote>\r\n`
  return () => {
    const id = randomBytes(12).toString('hex')
    return Buffer.from(
      [
        `Authentication-Results: ${AUTHSERV_ID}; spf=pass smtp.mailfrom=example.com;`,
        ` dkim=pass header.d=example.com; dmarc=pass header.from=example.com`,
        `Received: from out.example.com by ${AUTHSERV_ID}; Mon, 1 Jan 2035 10:00:01 +0100`,
        `From: Ada Lovelace <${SENDER}>`,
        `To: ${to()}`,
        'Subject: Re: My order has not arrived',
        'Date: Mon, 1 Jan 2035 10:00:00 +0100',
        `Message-ID: <${id}@example.com>`,
        'MIME-Version: 1.0',
        'Content-Type: multipart/alternative; boundary=b',
        '',
        '--b',
        'Content-Type: text/plain; charset=utf-8',
        '',
        text,
        '--b',
        'Content-Type: text/html; charset=utf-8',
        '',
        html,
        '--b--',
        '',
      ].join('\r\n'),
    )
  }
}
