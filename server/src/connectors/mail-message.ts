import { createHash } from 'node:crypto'
import type { Mailbox } from '../config.ts'
import { collect, lengthOf } from './in-turns.ts'
import { base64Length, base64Lines, encodeText } from './mail-body.ts'
import { dateField, mailboxField, plainField, textField } from './mail-headers.ts'
import { isPlain, type MediaType, parameterField, safeContentType } from './mail-parameters.ts'

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
 * add or alter a header. Others have their turn while a large one is written.
 */
export async function composeMail(mail: Mail): Promise<ComposedMail> {
  const boundary = makeBoundary(mail.messageId)
  const multipart = mail.attachments.length > 0
  const text = encodeText(mail.body, !multipart)
  const start = await collect(beforeText(mail, text.encoding, multipart ? boundary : null))
  const content = await collect(text.pieces)
  const parts: { head: Buffer[]; content: Buffer }[] = []
  for (const attachment of mail.attachments) {
    const type = await safeContentType(attachment.contentType)
    const head = await collect(beforeContent(boundary, type, attachment.filename))
    parts.push({ head, content: attachment.content })
  }
  const end = Buffer.from(multipart ? `\r\n--${boundary}--\r\n` : '')
  const size =
    lengthOf(start) +
    lengthOf(content) +
    parts.reduce((sum, part) => sum + lengthOf(part.head) + base64Length(part.content.length), 0) +
    end.length
  function* pieces(): Generator<Buffer> {
    yield* start
    yield* content
    for (const part of parts) {
      yield* part.head
      for (const lines of base64Lines(part.content)) yield Buffer.from(lines, 'latin1')
    }
    yield end
  }
  return { size, pieces }
}

/** @param boundary null where the text is all there is */
function* beforeText(mail: Mail, encoding: string, boundary: string | null): Generator<string> {
  yield* mailboxField('From', mail.from)
  yield* mailboxField('To', mail.to)
  yield* mailboxField('Reply-To', mail.replyTo)
  yield* textField('Subject', mail.subject)
  yield dateField(mail.date)
  yield plainField('Message-ID', mail.messageId)
  yield plainField('Auto-Submitted', 'auto-generated')
  yield plainField('X-Bellhop-Ticket', mail.ticketId)
  yield plainField('MIME-Version', '1.0')
  if (boundary !== null) {
    yield* parameterField('Content-Type', 'multipart/mixed', [['boundary', boundary]])
    yield `\r\n--${boundary}\r\n`
  }
  yield* parameterField('Content-Type', 'text/plain', [['charset', 'utf-8']])
  yield plainField('Content-Transfer-Encoding', encoding)
  yield '\r\n'
}

function* beforeContent(
  boundary: string,
  { type, parameters }: MediaType,
  filename: string,
): Generator<string> {
  yield `\r\n--${boundary}\r\n`
  // Readers too old for Content-Disposition look here; they know no RFC 2231, so only a plain name helps.
  const named: [string, string][] = isPlain(filename) ? [['name', filename]] : []
  yield* parameterField('Content-Type', type, parameters.concat(named))
  yield* parameterField('Content-Disposition', 'attachment', [['filename', filename]])
  yield plainField('Content-Transfer-Encoding', 'base64')
  yield '\r\n'
}

/** `=_` can stand neither in base64 nor in quoted-printable, so no part can hold the boundary (RFC 2045, section 6.7). */
function makeBoundary(messageId: string): string {
  return `=_${createHash('sha256').update(messageId).digest('hex').slice(0, 32)}`
}
