import { checkNewTicket, type NewTicket } from '@bellhop/contract'
import { AppError } from '../errors.ts'

export type RequestLimits = {
  /** Bytes of UTF-8 of all decoded text together. */
  text: number
  /** Bytes of the decoded attachment. */
  attachment: number
}

const NUL = '\u0000'
const IDEMPOTENCY_KEY = /^[\x21-\x7e]{1,255}$/

/**
 * Reads a parsed body as a new ticket: the schema's fields and no others, with lone surrogates as U+FFFD, as
 * the database will hold them.
 * @throws AppError `validation_error` (names the field, never repeats its value) or `payload_too_large`
 */
export function readNewTicket(body: unknown, limits: RequestLimits): NewTicket {
  const faults = checkNewTicket(body)
  if (faults.length > 0) {
    throw new AppError('validation_error', `${faults.map((f) => `${f.field} ${f.expected}`).join('; ')}.`)
  }
  const ticket = pickFields(body as NewTicket)
  const texts = textsOf(ticket)
  for (const [field, text] of texts) {
    if (text.includes(NUL)) throw nul(field)
  }
  if (utf8Length(texts) > limits.text) {
    throw new AppError('payload_too_large', `The text of the request is over ${limits.text} bytes.`)
  }
  const base64 = ticket.attachment?.content_base64
  if (base64?.includes(NUL)) throw nul('attachment.content_base64')
  if (base64 !== undefined && decodedLength(base64) > limits.attachment) {
    throw new AppError(
      'payload_too_large',
      `attachment.content_base64 holds over ${limits.attachment} bytes.`,
    )
  }
  return ticket
}

/**
 * Reads the Idempotency-Key header, which Node joins with a comma and a space where it was given twice.
 * @throws AppError `validation_error`
 */
export function readIdempotencyKey(header: string | string[] | undefined): string | null {
  if (header === undefined) return null
  if (typeof header === 'string' && IDEMPOTENCY_KEY.test(header)) return header
  throw new AppError(
    'validation_error',
    'Idempotency-Key must be given once, with 1 to 255 visible ASCII characters.',
  )
}

function pickFields(body: NewTicket): NewTicket {
  const { requester_name: name, attachment: file } = body
  return {
    brand_id: body.brand_id.toWellFormed(),
    person_id: body.person_id.toWellFormed(),
    requester_email: body.requester_email,
    ...(name === undefined ? {} : { requester_name: name.toWellFormed() }),
    subject: body.subject.toWellFormed(),
    body: body.body.toWellFormed(),
    ...(file === undefined ? {} : { attachment: pickFile(file) }),
  }
}

function pickFile(file: NonNullable<NewTicket['attachment']>): NonNullable<NewTicket['attachment']> {
  return {
    filename: file.filename.toWellFormed(),
    content_base64: file.content_base64,
    ...(file.content_type === undefined ? {} : { content_type: file.content_type.toWellFormed() }),
  }
}

/** Every text of the schema but the attachment's bytes. */
function textsOf(ticket: NewTicket): [field: string, text: string][] {
  const { attachment: file } = ticket
  return [
    ['brand_id', ticket.brand_id],
    ['person_id', ticket.person_id],
    ['requester_email', ticket.requester_email],
    ['requester_name', ticket.requester_name ?? ''],
    ['subject', ticket.subject],
    ['body', ticket.body],
    ['attachment.filename', file?.filename ?? ''],
    ['attachment.content_type', file?.content_type ?? ''],
  ]
}

function nul(field: string): AppError {
  return new AppError('validation_error', `${field} must not contain the character NUL.`)
}

function utf8Length(texts: [string, string][]): number {
  return texts.reduce((sum, [, text]) => sum + Buffer.byteLength(text), 0)
}

/** Bytes that strict base64 of this length decodes to; what is not strict is refused when it is decoded. */
function decodedLength(base64: string): number {
  const padding = base64.endsWith('==') ? 2 : base64.endsWith('=') ? 1 : 0
  return Math.floor(base64.length / 4) * 3 - padding
}
