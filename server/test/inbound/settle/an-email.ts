export type Email = {
  from?: string
  to?: string
  subject?: string
  text?: string
  messageId?: string | null
  date?: string | null
  /** Further fields, each a line. */
  fields?: string[]
  /** What the mail server says of its author: proven unless told. */
  verdict?: 'pass' | 'fail'
  /** Named files of it. */
  files?: { name: string; type: string; content: string }[]
}

/** Whose results the brands of these tests believe. */
export const AUTHSERV = 'mx.bellhop.test'

let count = 0

/** A mail as a mail server hands it over, with its own result on top. */
export function anEmail(email: Email = {}): Buffer {
  const { from = 'Ada <ada@example.com>', to = 'support@acme.example', subject = 'My order' } = email
  const { text = 'It has not arrived.', verdict = 'pass', fields = [], files = [] } = email
  const { messageId = `<mail-${++count}@example.com>`, date = 'Mon, 3 Nov 2025 10:00:00 +0000' } = email
  const domain = /@([^>\s]+)>?$/.exec(from)?.[1]
  const isMixed = files.length > 0
  const head = [
    `Authentication-Results: ${AUTHSERV}; dmarc=${verdict} header.from=${domain}`,
    `From: ${from}`,
    `To: ${to}`,
    `Subject: ${subject}`,
    ...(messageId === null ? [] : [`Message-ID: ${messageId}`]),
    ...(date === null ? [] : [`Date: ${date}`]),
    'MIME-Version: 1.0',
    ...fields,
    isMixed ? 'Content-Type: multipart/mixed; boundary="edge"' : 'Content-Type: text/plain; charset=utf-8',
  ]
  const parts = files.flatMap(({ name, type, content }) => [
    '--edge',
    `Content-Type: ${type}; name="${name}"`,
    `Content-Disposition: attachment; filename="${name}"`,
    '',
    content,
  ])
  const body = isMixed
    ? ['--edge', 'Content-Type: text/plain; charset=utf-8', '', text, ...parts, '--edge--', '']
    : [text, '']
  return Buffer.from([...head, '', ...body].join('\r\n'))
}

/** A report of a mail server that a mail did not arrive (RFC 3464). */
export function aReport(of: {
  recipient: string
  messageId: string
  status?: string
  to?: string
  action?: string
  /** What the mail server answered. */
  answer?: string
}): Buffer {
  const { recipient, messageId, status = '5.1.1', to = 'support@acme.example', action = 'failed' } = of
  const { answer } = of
  const lines = [
    'Return-Path: <>',
    'From: Mail Delivery System <mailer-daemon@mx.example.com>',
    `To: ${to}`,
    'Subject: Undelivered Mail Returned to Sender',
    `Message-ID: <report-${++count}@mx.example.com>`,
    'Auto-Submitted: auto-replied',
    'MIME-Version: 1.0',
    'Content-Type: multipart/report; report-type=delivery-status; boundary="edge"',
    '',
    '--edge',
    'Content-Type: text/plain',
    '',
    'It could not be delivered.',
    '--edge',
    'Content-Type: message/delivery-status',
    '',
    'Reporting-MTA: dns; mx.example.com',
    '',
    `Final-Recipient: rfc822; ${recipient}`,
    `Action: ${action}`,
    `Status: ${status}`,
    ...(answer === undefined ? [] : [`Diagnostic-Code: smtp; ${answer}`]),
    '',
    '--edge',
    'Content-Type: text/rfc822-headers',
    '',
    `Message-ID: ${messageId}`,
    'Subject: Re: My order',
    '',
    '--edge--',
    '',
  ]
  return Buffer.from(lines.join('\r\n'))
}
