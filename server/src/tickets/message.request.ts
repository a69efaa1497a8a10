import { checkNewMessage, checkTicketChange, type NewAttachment, type TicketChange } from '@bellhop/contract'
import {
  checkFiles,
  checkTexts,
  pickFile,
  type RequestLimits,
  refuseFaults,
  textsOfFile,
} from './request-parts.ts'

/** What a customer says on a ticket of theirs. */
export type FollowUp = { body: string; attachments: NewAttachment[] }

/**
 * Reads a parsed body as a follow-up: the schema's fields and no others, with lone surrogates as U+FFFD.
 * @throws AppError `validation_error` (names the field, never repeats its value) or `payload_too_large`
 */
export function readFollowUp(body: unknown, limits: RequestLimits): FollowUp {
  refuseFaults(checkNewMessage(body))
  const { body: text, attachments = [] } = body as { body: string; attachments?: NewAttachment[] }
  const files = attachments.map((file, index): [string, NewAttachment] => [
    `attachments.${index}`,
    pickFile(file),
  ])
  const message = { body: text.toWellFormed(), attachments: files.map(([, file]) => file) }
  checkTexts([['body', message.body], ...files.flatMap(([field, file]) => textsOfFile(field, file))], limits)
  checkFiles(files, 'attachments', limits)
  return message
}

/** Reads a parsed body as the change of a ticket. @throws AppError `validation_error` */
export function readTicketChange(body: unknown): TicketChange {
  refuseFaults(checkTicketChange(body))
  return { status: (body as TicketChange).status }
}
