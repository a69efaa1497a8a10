import type { NewTicket, Ticket } from '@bellhop/contract'
import type { BlobFolder } from '../blobs/blob-folder.ts'
import type { Brand } from '../config.ts'
import type { Pass } from '../crash-points.ts'
import { type Database, isDatabaseAway, type Sql } from '../database/pool.ts'
import type { Carrier, Settled } from '../deliveries/carrier.ts'
import type { DeliveryState } from '../deliveries/delivery.store.ts'
import type { Place } from '../deliveries/desks.ts'
import { AppError, unavailable } from '../errors.ts'
import { fromId } from '../ids.ts'
import { type ReadAttachment, readAttachment } from './attachment.ts'
import type { Caller } from './caller.ts'
import {
  idempotencyConflict,
  idempotencyKeyRow,
  idempotencyMismatch,
  type KeysInFlight,
} from './idempotency.ts'
import type { Intake } from './intake.ts'
import { type IdempotencyKeyRow, isKeyHeld, type NewTicketRow } from './new-ticket.store.ts'
import { toMessage, toRow } from './new-ticket.ts'
import { type Actor, actorFor, judgeOwner, requireScope, speaksFor } from './owner.ts'
import { type RequestLimits, readIdempotencyKey, readNewTicket } from './ticket.request.ts'
import { readAttachments, readMessageState, readMessages, readTicket } from './ticket.store.ts'
import { toTicket } from './ticket.view.ts'

/** How long a request waits for the database, in milliseconds. */
const STATEMENT_LIMIT_MS = 5000

export type TicketServiceDeps = {
  database: Database
  intake: Intake
  blobs: BlobFolder
  brands: Map<string, Brand>
  carrier: Carrier
  keys: KeysInFlight
  /** Who holds the leases that this process takes. */
  holder: string
  limits: RequestLimits
  /** Tells the worker of this process that a delivery waits; null where this process has none. */
  wakeWorker: (() => void) | null
  /** Hears how many seconds a ticket took from being judged to its COMMIT. */
  observe: (seconds: number) => void
  pass: Pass
}

/** A request that may be accepted: everything was judged but the number of tickets that its person files. */
export type Admitted = {
  caller: Caller
  brand: Brand
  ticket: NewTicket
  actor: Actor
  key: string | null
}

/** A ticket that is kept, and where its delivery stood when the answer was due; null: not known here. */
export type Accepted = { ticketId: string; messageId: string; state: DeliveryState | null; replayed: boolean }

export class TicketService {
  readonly #deps: TicketServiceDeps
  /** When a ticket could last not be kept, by `performance.now()`. */
  lastOutage = Number.NEGATIVE_INFINITY

  constructor(deps: TicketServiceDeps) {
    this.#deps = deps
  }

  /**
   * Judges a request: schema, brand, issuer and brand claim, person, scope, in this order.
   * @throws AppError
   */
  admit(caller: Caller, body: unknown, keyHeader: string | string[] | undefined): Admitted {
    const ticket = readNewTicket(body, this.#deps.limits)
    const key = readIdempotencyKey(keyHeader)
    const brand = this.#deps.brands.get(ticket.brand_id)
    if (brand === undefined)
      throw new AppError('unknown_brand', 'brand_id is not a brand of this installation.')
    const actor = judgeOwner(caller, brand, ticket.person_id)
    return { caller, brand, ticket, actor, key }
  }

  /**
   * Accepts a ticket: keeps it, attempts its delivery, and answers within the brand's wait.
   * @throws AppError
   */
  async accept(admitted: Admitted): Promise<Accepted> {
    const { ticket, key, caller } = admitted
    const file = ticket.attachment ? await readAttachment(ticket.attachment) : null
    if (key === null) return this.#keep(admitted, file, null, () => {})
    const keyRow = idempotencyKeyRow(key, caller.issuer, ticket, file?.sha256 ?? null)
    const leave = await this.#deps.keys.enter(keyRow)
    try {
      return await this.#keep(admitted, file, keyRow, leave)
    } finally {
      leave()
    }
  }

  /** Reads a ticket for its owner, or for a trusted client of its brand. @throws AppError `not_found` */
  async read(caller: Caller, ticketId: string): Promise<Ticket> {
    const uuid = fromId('tkt', ticketId)
    const brands = [...this.#deps.brands.values()].filter((brand) => speaksFor(caller, brand))
    if (uuid === null || brands.length === 0) throw notFound()
    const brandIds = brands.map((brand) => brand.id)
    const row = await this.#query((sql) => readTicket(sql, brandIds, uuid))
    const brand = row && this.#deps.brands.get(row.brandId)
    if (!row || !brand || actorFor(caller, brand, row.personId) === null) throw notFound()
    requireScope(caller, brand)
    const [messages, attachments] = await Promise.all([
      this.#query((sql) => readMessages(sql, row.brandId, uuid)),
      this.#query((sql) => readAttachments(sql, row.brandId, uuid)),
    ])
    return toTicket(row, messages, attachments)
  }

  async #keep(
    admitted: Admitted,
    file: ReadAttachment | null,
    key: IdempotencyKeyRow | null,
    committed: () => void,
  ): Promise<Accepted> {
    const started = performance.now()
    const { brand } = admitted
    if (file !== null) await this.#keepBytes(file)
    const { carrier } = this.#deps
    const connector = carrier.connectorOf(brand.id)
    const place = connector.atCommit ? null : carrier.take(brand.id, file?.bytes.length ?? 0)
    let kept = false
    try {
      const row = toRow(admitted, file, key, { connector, holder: place ? this.#deps.holder : null })
      this.#deps.pass('before_commit')
      const inserted = await this.#refuseOutage(this.#deps.intake.keep(row))
      this.#deps.pass('after_commit')
      committed()
      if (inserted.kind === 'taken') {
        if (!inserted.requestHash.equals(row.key?.requestHash ?? Buffer.alloc(0))) throw idempotencyMismatch()
        return await this.#replay(brand.id, inserted.messageId)
      }
      kept = true
      this.#deps.observe((performance.now() - started) / 1000)
      return await this.#answer(admitted, row, place, file, inserted.createdAt)
    } finally {
      if (place && !kept) carrier.leave(place)
    }
  }

  /** The ticket is safe: what is left is to say honestly where it stands. */
  async #answer(
    { brand }: Admitted,
    row: NewTicketRow,
    place: Place | null,
    file: ReadAttachment | null,
    createdAt: Date,
  ): Promise<Accepted> {
    const { carrier, wakeWorker } = this.#deps
    const { deliveryId, state } = row.delivery
    let settled: Settled
    if (place !== null) {
      const message = toMessage(row, file, createdAt)
      const job = { brandId: brand.id, deliveryId, attempt: 1, retriedAfter: 0, message }
      settled = await within(carrier.carry(job, place), brand.wait)
    } else if (state === 'delivered') {
      settled = 'delivered'
    } else {
      // Every place at the desk is taken, or it is left alone for now: the worker comes to it in its turn.
      settled = wakeWorker && brand.wait > 0 ? await this.#awaitWorker(wakeWorker, row, brand.wait) : null
    }
    return { ticketId: row.ticketId, messageId: row.messageId, state: settled, replayed: false }
  }

  #awaitWorker(wake: () => void, row: NewTicketRow, wait: number): Promise<Settled> {
    const settled = this.#deps.carrier.waitFor(row.brandId, row.delivery.deliveryId, wait)
    wake()
    return settled
  }

  async #replay(brandId: string, messageId: string): Promise<Accepted> {
    const state = await this.#query((sql) => readMessageState(sql, brandId, messageId))
    if (state === null) throw new Error('an idempotency key names a message that is not there')
    return { ...state, messageId, replayed: true }
  }

  async #keepBytes(file: ReadAttachment): Promise<void> {
    try {
      await this.#deps.blobs.put(file.sha256, file.bytes)
    } catch (error) {
      // The disk is full or gone: the operator's to mend, and safe to try again.
      this.lastOutage = performance.now()
      throw unavailable('The attachment cannot be stored now.', 5, error)
    }
  }

  #query<T>(query: (sql: Sql) => PromiseLike<T>): Promise<T> {
    return this.#refuseOutage(this.#deps.database.run(STATEMENT_LIMIT_MS, query))
  }

  async #refuseOutage<T>(answer: Promise<T>): Promise<T> {
    try {
      return await answer
    } catch (error) {
      if (isKeyHeld(error)) throw idempotencyConflict()
      if (!isDatabaseAway(error)) throw error
      this.lastOutage = performance.now()
      throw unavailable('The database is away.', 2, error)
    }
  }
}

async function within(settled: Promise<Settled>, ms: number): Promise<Settled> {
  if (ms === 0) return null
  const { promise, resolve } = Promise.withResolvers<null>()
  const timer = setTimeout(resolve, ms, null)
  try {
    return await Promise.race([settled, promise])
  } finally {
    clearTimeout(timer)
  }
}

function notFound(): AppError {
  return new AppError('not_found', 'There is no such ticket.')
}
