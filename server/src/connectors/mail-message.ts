import { createHash } from 'node:crypto'
import type { Mailbox } from '../config.ts'
import { base64Length, base64Lines, encodeText, endsWithLineBreak } from './mail-body.ts'
import { dateField, mailboxField, plainField, textField } from './mail-headers.ts'
import { isPlain, parameterField, safeContentType } from './mail-parameters.ts'

export type MailAttachment = { filename: string; contentType: string; content: Buffer }

export type Mail = {
  from: Mailbox
  to: Mailbox
  replyTo: Mailbox
  subject: string
  body: string
  /** With its angle brackets. */
  messageId: string
  ticketId: string
  date: Date
  attachments: MailAttachment[]
}

export type ComposedMail = {
  /** Of the whole message, in bytes. */
  size: number
  /** The message from its first byte, in pieces; may be asked for again. */
  pieces(): Generator<Buffer>
}

/**
 * The message as it goes over the wire (RFC 5322, RFC 2045 to 2047, RFC 2231). The same mail is the same
 * bytes each time, so that every retry is recognised as what went before.
 *
 * It is 7-bit clean, no line is over 998 octets, what a reader decodes is what was given, and no value can
 * add or alter a header.
 */
export function composeMail(mail: Mail): ComposedMail {
  const boundary = makeBoundary(mail.messageId)
  const multipart = mail.attachments.length > 0
  const text = encodeText(mail.body)
  const textHead =
    parameterField('Content-Type', 'text/plain', [['charset', 'utf-8']]) +
    plainField('Content-Transfer-Encoding', text.encoding)
  const head =
    mailboxField('From', mail.from) +
    mailboxField('To', mail.to) +
    mailboxField('Reply-To', mail.replyTo) +
    textField('Subject', mail.subject) +
    dateField(mail.date) +
    plainField('Message-ID', mail.messageId) +
    plainField('Auto-Submitted', 'auto-generated') +
    plainField('X-Bellhop-Ticket', mail.ticketId) +
    plainField('MIME-Version', '1.0') +
    (multipart ? parameterField('Content-Type', 'multipart/mixed', [['boundary', boundary]]) : textHead)
  const start = Buffer.from(multipart ? `${head}\r\n--${boundary}\r\n${textHead}\r\n` : `${head}\r\n`)
  const parts = mail.attachments.map((attachment) => ({
    head: Buffer.from(`\r\n--${boundary}\r\n${attachmentHead(attachment)}\r\n`),
    content: attachment.content,
  }))
  const content = multipart ? text.content : endsWithLineBreak(text)
  const end = Buffer.from(multipart ? `\r\n--${boundary}--\r\n` : '')
  const size =
    start.length +
    content.length +
    parts.reduce((sum, part) => sum + part.head.length + base64Length(part.content.length), 0) +
    end.length
  function* pieces(): Generator<Buffer> {
    yield start
    yield content
    for (const part of parts) {
      yield part.head
      yield* base64Lines(part.content)
    }
    yield end
  }
  return { size, pieces }
}

function attachmentHead(attachment: MailAttachment): string {
  const { type, parameters } = safeContentType(attachment.contentType)
  const { filename } = attachment
  // Readers too old for Content-Disposition look here; they know no RFC 2231, so only a plain name helps.
  if (isPlain(filename)) parameters.push(['name', filename])
  return (
    parameterField('Content-Type', type, parameters) +
    parameterField('Content-Disposition', 'attachment', [['filename', filename]]) +
    plainField('Content-Transfer-Encoding', 'base64')
  )
}

/** `=_` can stand neither in base64 nor in quoted-printable, so no part can hold the boundary (RFC 2045, section 6.7). */
function makeBoundary(messageId: string): string {
  return `=_${createHash('sha256').update(messageId).digest('hex').slice(0, 32)}`
}
