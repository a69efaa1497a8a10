import type { TicketChange, TicketSummary } from '@bellhop/contract'
import type { BlobFolder } from '../blobs/blob-folder.ts'
import { readFirstMessage } from '../conversation/conversation.store.ts'
import type { ConversationDeps } from '../conversation/conversation.ts'
import { say } from '../conversation/say.ts'
import { setStatus } from '../conversation/status.ts'
import { measureTicket, TICKET_BYTES } from '../conversation/ticket-size.store.ts'
import type { Pass } from '../crash-points.ts'
import type { Executor } from '../database/pool.ts'
import type { Carrier, Settled } from '../deliveries/carrier.ts'
import { heldSince } from '../deliveries/hold.ts'
import { AppError } from '../errors.ts'
import { newUuid, toId } from '../ids.ts'
import { type ReadAttachment, readAttachment } from './attachment.ts'
import type { Caller } from './caller.ts'
import { requestKeyRow } from './idempotency.ts'
import { type FollowUp, readFollowUp, readTicketChange } from './message.request.ts'
import { toAttachmentRow } from './new-ticket.ts'
import { type OnceDeps, once } from './once.ts'
import type { OwnTicket } from './own-ticket.ts'
import type { TicketReader } from './ticket.reader.ts'
import { type RequestLimits, readIdempotencyKey } from './ticket.request.ts'
import type { Accepted } from './ticket.service.ts'
import { readMessageState, readTicket } from './ticket.store.ts'
import { toSummary } from './ticket.view.ts'

export type FollowUpDeps = OnceDeps & {
  blobs: BlobFolder
  conversation: ConversationDeps
  carrier: Carrier
  reader: TicketReader
  limits: RequestLimits
  /** Tells the worker of this process that a delivery waits; null where this process has none. */
  wakeWorker: (() => void) | null
  pass: Pass
}

/** A request about one's own ticket; everything was judged but the number of those that its person sends. */
export type Asked<T> = OwnTicket & { caller: Caller; asked: T; key: string | null }

type Header = string | string[] | undefined

/** What a customer says and does on a ticket that is there already. */
export class FollowUpService {
  readonly #deps: FollowUpDeps

  constructor(deps: FollowUpDeps) {
    this.#deps = deps
  }

  /** Judges the schema, then the ticket, then the scope. @throws AppError */
  admitMessage(caller: Caller, ticketId: string, body: unknown, key: Header): Promise<Asked<FollowUp>> {
    return this.#admit(caller, ticketId, key, () => readFollowUp(body, this.#deps.limits))
  }

  /** Judges the schema, then the ticket, then the scope. @throws AppError */
  admitChange(caller: Caller, ticketId: string, body: unknown, key: Header): Promise<Asked<TicketChange>> {
    return this.#admit(caller, ticketId, key, () => readTicketChange(body))
  }

  /**
   * Keeps a follow-up, and answers within the brand's wait for its desk.
   * @throws AppError `ticket_closed`, `invalid_attachment`, `payload_too_large`, `unavailable`, and those of the key
   */
  async say(admitted: Asked<FollowUp>): Promise<Accepted> {
    const { brand, actor, ticket, asked } = admitted
    const { ticketId } = ticket
    const { blobs, conversation, outages, pass } = this.#deps
    const files: ReadAttachment[] = []
    for (const [index, file] of asked.attachments.entries())
      files.push(await readAttachment(file, `attachments.${index}`))
    const hashed = files.map((file) => [file.filename, file.sha256, file.declaredType])
    const key = keyRowOf(admitted, 'POST', 'messages', [asked.body, hashed])
    for (const file of files) await outages.disk(blobs.put(file.sha256, file.bytes))
    const messageId = newUuid()
    const said = await once(this.#deps, brand.id, key, async (tx) => {
      await refuseFull(tx, brand.id, ticketId)
      const { deliveryIds } = await say(tx, conversation, {
        brandId: brand.id,
        ticketId,
        messageId,
        author: 'customer',
        authorName: null,
        authorAddress: null,
        via: 'api',
        body: asked.body,
        wholeText: null,
        html: null,
        automatic: false,
        heldFor: null,
        inboundMailId: null,
        attachments: files.map(toAttachmentRow),
        actor: actor.kind,
        actorId: actor.kind === 'client' ? actor.clientId : null,
      })
      const isHeld = (await heldSince(tx)) !== null
      pass('before_commit')
      return { messageId, value: { deliveryIds, isHeld } }
    })
    pass('after_commit')
    if ('replayOf' in said) return this.#replay(brand.id, said.replayOf)
    const state = await this.#settle(admitted, said.done.deliveryIds, said.done.isHeld)
    return { ticketId, messageId, state, replayed: false }
  }

  /**
   * Changes a ticket's status; the one that it has already is no change.
   * @throws AppError `ticket_closed`, `unavailable`, and those of the key
   */
  async change(admitted: Asked<TicketChange>): Promise<{ summary: TicketSummary; replayed: boolean }> {
    const { brand, actor, ticket, asked } = admitted
    const { ticketId, personId } = ticket
    const { conversation, reader } = this.#deps
    const key = keyRowOf(admitted, 'PATCH', '', [asked.status])
    const changed = await once(this.#deps, brand.id, key, async (tx) => {
      const actorId = actor.kind === 'client' ? actor.clientId : null
      const { status } = asked
      await setStatus(tx, conversation, { brandId: brand.id, ticketId, status, actor: actor.kind, actorId })
      const row = await readTicket(tx, [brand.id], ticketId)
      return { messageId: await readFirstMessage(tx, brand.id, ticketId), value: row }
    })
    const replayed = 'replayOf' in changed
    const row = replayed ? await reader.query((sql) => readTicket(sql, [brand.id], ticketId)) : changed.done
    if (row === null) throw new Error('a ticket was changed and is not there')
    return { summary: toSummary({ ...row, personId }), replayed }
  }

  async #admit<T>(caller: Caller, ticketId: string, header: Header, read: () => T): Promise<Asked<T>> {
    const asked = read()
    const key = readIdempotencyKey(header)
    const own = await this.#deps.reader.find(caller, ticketId)
    return { ...own, caller, asked, key }
  }

  /** It is safe: what is left is to say honestly where it stands. */
  async #settle({ brand }: OwnTicket, [deliveryId]: string[], isHeld: boolean): Promise<Settled> {
    const { carrier, wakeWorker } = this.#deps
    if (deliveryId === undefined || carrier.connectorOf(brand.id, 'desk').atCommit) return 'delivered'
    // Nobody here would carry it, or nobody may before the operator says so: there is nothing to wait for.
    if (wakeWorker === null || brand.wait === 0 || isHeld) return null
    const settled = carrier.waitFor(brand.id, 'desk', deliveryId, brand.wait)
    wakeWorker()
    return settled
  }

  async #replay(brandId: string, messageId: string): Promise<Accepted> {
    const state = await this.#deps.reader.query((sql) => readMessageState(sql, brandId, messageId))
    if (state === null) throw new Error('an idempotency key names a message that is not there')
    return { ...state, messageId, replayed: true }
  }
}

async function refuseFull(tx: Executor, brandId: string, ticketId: string): Promise<void> {
  if ((await measureTicket(tx, brandId, ticketId)) <= TICKET_BYTES) return
  throw new AppError('payload_too_large', 'The ticket holds too much already: file another one.')
}

/** The hash of the request takes in what was asked for and of which ticket, not only the body. */
function keyRowOf(
  { caller, brand, ticket, key }: Asked<unknown>,
  method: string,
  part: string,
  body: unknown[],
) {
  if (key === null) return null
  const { personId, ticketId } = ticket
  const scope = { issuer: caller.issuer, personId, brandId: brand.id }
  return requestKeyRow(key, scope, [method, toId('tkt', ticketId), part, ...body])
}
