import { hash } from 'node:crypto'
import type { BlobFolder } from '../blobs/blob-folder.ts'
import type { ConversationDeps } from '../conversation/conversation.ts'
import { say } from '../conversation/say.ts'
import type { Executor } from '../database/pool.ts'
import { AppError } from '../errors.ts'
import { fromId, newUuid } from '../ids.ts'
import { type ReadAttachment, readAttachment } from '../tickets/attachment.ts'
import { toAttachmentRow } from '../tickets/new-ticket.ts'
import { type OnceDeps, once } from '../tickets/once.ts'
import type { RequestLimits } from '../tickets/request-parts.ts'
import { readAnswerState } from './desk.store.ts'
import { type DeskMessage, readDeskMessage } from './desk-message.request.ts'

export type DeskServiceDeps = OnceDeps & {
  blobs: BlobFolder
  conversation: ConversationDeps
  limits: RequestLimits
  /** Tells the worker of this process that a delivery waits; null where this process has none. */
  wakeWorker: (() => void) | null
}

/** A request that its desk has signed. */
export type SignedRequest = {
  brandId: string
  /** As the path names it. */
  ticketId: string
  webhookId: string
  /** The parsed body. */
  body: unknown
}

/** An answer that is kept. Ids are UUIDs. */
export type Answered = { ticketId: string; messageId: string; isUnderWay: boolean; replayed: boolean }

/** What the people at a webhook desk say on a ticket. */
export class DeskService {
  readonly #deps: DeskServiceDeps

  constructor(deps: DeskServiceDeps) {
    this.#deps = deps
  }

  /**
   * Keeps an answer or a note, once for each `webhook-id`; mail to the customer goes on behind it.
   * @throws AppError `validation_error`, `payload_too_large`, `invalid_attachment`, `not_found`, `ticket_closed`,
   *   `unavailable`, and those of the key
   */
  async say(request: SignedRequest): Promise<Answered> {
    const { brandId } = request
    const { blobs, conversation, outages, limits, wakeWorker } = this.#deps
    const message = readDeskMessage(request.body, limits)
    const ticketId = fromId('tkt', request.ticketId)
    if (ticketId === null) throw new AppError('not_found', 'There is no such ticket.')
    const files: ReadAttachment[] = []
    for (const [index, file] of message.attachments.entries())
      files.push(await readAttachment(file, `attachments.${index}`))
    for (const file of files) await outages.disk(blobs.put(file.sha256, file.bytes))
    const messageId = newUuid()
    const said = await once(this.#deps, brandId, keyRow(request, message, files), async (tx) => {
      const { status } = message
      await say(tx, conversation, {
        brandId,
        ticketId,
        messageId,
        author: message.note ? 'note' : 'agent',
        authorName: message.authorName,
        authorAddress: null,
        via: 'desk',
        body: message.body,
        wholeText: null,
        html: null,
        automatic: false,
        heldFor: null,
        inboundMailId: null,
        attachments: files.map(toAttachmentRow),
        actor: 'desk',
        actorId: null,
        ...(status === null ? {} : { status }),
      })
      return { messageId, value: await stateOf(tx, brandId, messageId) }
    })
    if ('replayOf' in said) {
      const { replayOf } = said
      const { database } = this.#deps
      const state = await outages.database(database.run(READ_MS, (sql) => stateOf(sql, brandId, replayOf)))
      return { ...state, messageId: replayOf, replayed: true }
    }
    if (said.done.isUnderWay) wakeWorker?.()
    return { ...said.done, messageId, replayed: false }
  }
}

/** Milliseconds for what a replay asks. */
const READ_MS = 5000

async function stateOf(sql: Executor, brandId: string, messageId: string) {
  const state = await readAnswerState(sql, brandId, messageId)
  if (state === null) throw new Error('an idempotency key names a message that is not there')
  return state
}

/** Its id makes a request one that is used once; the hash takes in the ticket, and files by their bytes. */
function keyRow(request: SignedRequest, message: DeskMessage, files: ReadAttachment[]) {
  const { brandId, ticketId, webhookId } = request
  const { body, authorName, note, status } = message
  const hashed = files.map((file) => [file.filename, file.sha256, file.declaredType])
  return {
    digest: digest(['desk', brandId, webhookId]),
    requestHash: digest([ticketId, body, authorName, note, status, hashed]),
  }
}

// JSON keeps the borders between the parts, so that no two lists of parts share a text.
function digest(parts: unknown[]): Buffer {
  return hash('sha256', JSON.stringify(parts), 'buffer')
}
