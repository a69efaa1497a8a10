import { checkNewDeskMessage, type NewAttachment, type NewDeskMessage } from '@bellhop/contract'
import {
  checkFiles,
  checkTexts,
  pickFile,
  type RequestLimits,
  refuseFaults,
  textsOfFile,
} from '../tickets/request-parts.ts'
import { faultOfAuthorName } from './author-name.ts'

/** What the people at a desk say on a ticket. */
export type DeskMessage = {
  body: string
  authorName: string | null
  note: boolean
  status: 'open' | 'pending' | 'solved' | null
  attachments: NewAttachment[]
}

/**
 * Reads a parsed body as a desk's message: the schema's fields and no others, with lone surrogates as U+FFFD.
 * @throws AppError `validation_error` (names the field, never repeats its value) or `payload_too_large`
 */
export function readDeskMessage(body: unknown, limits: RequestLimits): DeskMessage {
  refuseFaults(checkNewDeskMessage(body))
  const { body: text, author_name, note = false, status = null, attachments = [] } = body as NewDeskMessage
  const files = attachments.map((file, index): [string, NewAttachment] => [
    `attachments.${index}`,
    pickFile(file),
  ])
  const message = {
    body: text.toWellFormed(),
    authorName: author_name?.toWellFormed() ?? null,
    note,
    status,
    attachments: files.map(([, file]) => file),
  }
  const { authorName } = message
  checkTexts(
    [
      ['body', message.body],
      ['author_name', authorName ?? ''],
      ...files.flatMap(([field, file]) => textsOfFile(field, file)),
    ],
    limits,
  )
  const fault = authorName === null ? null : faultOfAuthorName(authorName)
  if (fault !== null) refuseFaults([{ field: 'author_name', expected: fault }])
  checkFiles(files, 'attachments', limits)
  return message
}
