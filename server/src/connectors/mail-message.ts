import { createHash } from 'node:crypto'
import type { Mailbox } from '../config.ts'
import type { Thread } from './connector.ts'
import { collect, lengthOf } from './in-turns.ts'
import { base64Length, base64Lines, encodeText } from './mail-body.ts'
import { dateField, idsField, mailboxField, plainField, textField } from './mail-headers.ts'
import { isPlain, type MediaType, parameterField, safeContentType } from './mail-parameters.ts'

export type MailAttachment = { filename: string; contentType: string; content: Buffer }

export type Mail = {
  from: Mailbox
  to: Mailbox
  /** Null: answers go to `from`. */
  replyTo: Mailbox | null
  subject: string
  body: string
  /** The body once more, for programs that show HTML; null: there is none. */
  html: string | null
  /** With its angle brackets. */
  messageId: string
  /** The mails that this one follows. */
  thread: Thread
  /** What a machine says of its mail (RFC 3834, section 5); null: a person wrote it. */
  autoSubmitted: 'auto-generated' | 'auto-replied' | null
  /** `tkt_…`, or null where it is not told. */
  ticketId: string | null
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
  const mixed = mail.attachments.length > 0 ? makeBoundary(mail.messageId, '') : null
  const start = await collect(beforeTexts(mail, mixed))
  const texts = await composeTexts(mail, mixed === null)
  const parts: { head: Buffer[]; content: Buffer }[] = []
  for (const attachment of mixed === null ? [] : mail.attachments) {
    const type = await safeContentType(attachment.contentType)
    const head = await collect(beforeContent(mixed ?? '', type, attachment.filename))
    parts.push({ head, content: attachment.content })
  }
  const end = Buffer.from(mixed === null ? '' : `\r\n--${mixed}--\r\n`)
  const size =
    lengthOf(start) +
    lengthOf(texts) +
    parts.reduce((sum, part) => sum + lengthOf(part.head) + base64Length(part.content.length), 0) +
    end.length
  function* pieces(): Generator<Buffer> {
    yield* start
    yield* texts
    for (const part of parts) {
      yield* part.head
      for (const lines of base64Lines(part.content)) yield Buffer.from(lines, 'latin1')
    }
    yield end
  }
  return { size, pieces }
}

/** @param mixed the boundary, or null where the texts are all there is */
function* beforeTexts(mail: Mail, mixed: string | null): Generator<string> {
  yield* mailboxField('From', mail.from)
  yield* mailboxField('To', mail.to)
  if (mail.replyTo !== null) yield* mailboxField('Reply-To', mail.replyTo)
  yield* textField('Subject', mail.subject)
  yield dateField(mail.date)
  yield plainField('Message-ID', mail.messageId)
  if (mail.thread.inReplyTo !== null) yield* idsField('In-Reply-To', [mail.thread.inReplyTo])
  yield* idsField('References', mail.thread.references)
  if (mail.autoSubmitted !== null) yield plainField('Auto-Submitted', mail.autoSubmitted)
  if (mail.ticketId !== null) yield plainField('X-Bellhop-Ticket', mail.ticketId)
  yield plainField('MIME-Version', '1.0')
  if (mixed !== null) yield* opening('mixed', mixed)
}

/** The head of a multipart, and its first boundary. */
function* opening(kind: 'mixed' | 'alternative', boundary: string): Generator<string> {
  yield* parameterField('Content-Type', `multipart/${kind}`, [['boundary', boundary]])
  yield `\r\n--${boundary}\r\n`
}

/** @param whole where they are all of the message's body */
async function composeTexts(mail: Mail, whole: boolean): Promise<Buffer[]> {
  if (mail.html === null) return composeText('plain', mail.body, whole)
  const boundary = makeBoundary(mail.messageId, 'alt_')
  return [
    ...(await collect(opening('alternative', boundary))),
    ...(await composeText('plain', mail.body, false)),
    Buffer.from(`\r\n--${boundary}\r\n`),
    ...(await composeText('html', mail.html, false)),
    Buffer.from(`\r\n--${boundary}--\r\n`),
  ]
}

async function composeText(kind: 'plain' | 'html', text: string, whole: boolean): Promise<Buffer[]> {
  const { encoding, pieces } = await encodeText(text, whole)
  const head = [
    ...parameterField('Content-Type', `text/${kind}`, [['charset', 'utf-8']]),
    plainField('Content-Transfer-Encoding', encoding),
    '\r\n',
  ]
  return [Buffer.from(head.join('')), ...(await collect(pieces))]
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
function makeBoundary(messageId: string, kind: '' | 'alt_'): string {
  return `=_${kind}${createHash('sha256').update(messageId).digest('hex').slice(0, 32)}`
}
