import { checkNewTicket, type NewTicket } from '@bellhop/contract'
import { AppError } from '../errors.ts'
import {
  checkFiles,
  checkTexts,
  pickFile,
  type RequestLimits,
  refuseFaults,
  textsOfFile,
} from './request-parts.ts'

export type { RequestLimits } from './request-parts.ts'

const IDEMPOTENCY_KEY = /^[\x21-\x7e]{1,255}$/

/**
 * Reads a parsed body as a new ticket: the schema's fields and no others, with lone surrogates as U+FFFD, as
 * the database will hold them.
 * @throws AppError `validation_error` (names the field, never repeats its value) or `payload_too_large`
 */
export function readNewTicket(body: unknown, limits: RequestLimits): NewTicket {
  refuseFaults(checkNewTicket(body))
  const ticket = pickFields(body as NewTicket)
  const { attachment: file } = ticket
  checkTexts(textsOf(ticket), limits)
  checkFiles(file ? [['attachment', file]] : [], 'attachment.content_base64', limits)
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

/** Every text of the schema but the attachment's bytes. */
function textsOf(ticket: NewTicket): [field: string, text: string][] {
  return [
    ['brand_id', ticket.brand_id],
    ['person_id', ticket.person_id],
    ['requester_email', ticket.requester_email],
    ['requester_name', ticket.requester_name ?? ''],
    ['subject', ticket.subject],
    ['body', ticket.body],
    ...textsOfFile('attachment', ticket.attachment),
  ]
}
