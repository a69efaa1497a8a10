import type { NewTicket } from '@bellhop/contract'
import type { BlobFolder } from '../blobs/blob-folder.ts'
import type { Brand } from '../config.ts'
import type { Pass } from '../crash-points.ts'
import type { Database } from '../database/pool.ts'
import type { Carrier, Settled } from '../deliveries/carrier.ts'
import type { DeliveryState } from '../deliveries/delivery.store.ts'
import type { Place } from '../deliveries/outlets.ts'
import { AppError } from '../errors.ts'
import { type ReadAttachment, readAttachment } from './attachment.ts'
import type { Caller } from './caller.ts'
import { idempotencyKeyRow, idempotencyMismatch, type KeysInFlight } from './idempotency.ts'
import type { Intake } from './intake.ts'
import type { IdempotencyKeyRow, Inserted, NewTicketRow } from './new-ticket.store.ts'
import { toMessage, toRow } from './new-ticket.ts'
import type { Outages } from './outage.ts'
import { type Actor, judgeOwner } from './owner.ts'
import { type RequestLimits, readIdempotencyKey, readNewTicket } from './ticket.request.ts'
import { readMessageState } from './ticket.store.ts'

/** How long a request waits for the database in all, in milliseconds. */
const STATEMENT_LIMIT_MS = 5000
/** What a request that was kept late still has for reading what became of it, in milliseconds. */
const LAST_READ_MS = 500

export type TicketServiceDeps = {
  database: Database
  outages: Outages
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

type Kept = Extract<Inserted, { kind: 'created' }>

export class TicketService {
  readonly #deps: TicketServiceDeps

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
    if (key === null) return this.#keep(admitted, file, null, STATEMENT_LIMIT_MS, () => {})
    const keyRow = idempotencyKeyRow(key, caller.issuer, ticket, file?.sha256 ?? null)
    const entered = performance.now()
    const leave = await this.#deps.keys.enter(keyRow)
    const patience = STATEMENT_LIMIT_MS - (performance.now() - entered)
    try {
      return await this.#keep(admitted, file, keyRow, patience, leave)
    } finally {
      leave()
    }
  }

  async #keep(
    admitted: Admitted,
    file: ReadAttachment | null,
    key: IdempotencyKeyRow | null,
    patience: number,
    committed: () => void,
  ): Promise<Accepted> {
    const started = performance.now()
    const { brand } = admitted
    const { carrier, outages, blobs } = this.#deps
    if (file !== null) await outages.disk(blobs.put(file.sha256, file.bytes))
    const connector = carrier.connectorOf(brand.id)
    const place = connector.atCommit ? null : carrier.take(brand.id, 'desk', file?.bytes.length ?? 0)
    let carried = false
    try {
      const row = toRow(admitted, file, key, { connector, holder: place ? this.#deps.holder : null })
      const deadline = performance.now() + patience
      this.#deps.pass('before_commit')
      const inserted = await outages.database(this.#deps.intake.keep(row, deadline))
      this.#deps.pass('after_commit')
      committed()
      if (inserted.kind === 'taken') {
        if (!inserted.requestHash.equals(row.key?.requestHash ?? Buffer.alloc(0))) throw idempotencyMismatch()
        return await this.#replay(brand.id, inserted.messageId, deadline - performance.now())
      }
      carried = !inserted.held
      this.#deps.observe((performance.now() - started) / 1000)
      return await this.#answer(admitted, row, place, file, inserted)
    } finally {
      if (place && !carried) carrier.leave(place)
    }
  }

  /** The ticket is safe: what is left is to say honestly where it stands. */
  async #answer(
    { brand }: Admitted,
    row: NewTicketRow,
    place: Place | null,
    file: ReadAttachment | null,
    { createdAt, held }: Kept,
  ): Promise<Accepted> {
    const { carrier, wakeWorker } = this.#deps
    const { deliveryId, state } = row.delivery
    let settled: Settled
    if (state === 'delivered') {
      settled = 'delivered'
    } else if (held) {
      // Nobody carries it until the operator says so: there is nothing to wait for.
      settled = null
    } else if (place !== null) {
      const message = toMessage(row, file, createdAt)
      const job = { brandId: brand.id, deliveryId, attempt: 1, retriedAfter: 0, refused: null, message }
      settled = await within(carrier.carry(job, place), brand.wait)
    } else {
      // Every place at the desk is taken, or it is left alone for now: the worker comes to it in its turn.
      settled = wakeWorker && brand.wait > 0 ? await this.#awaitWorker(wakeWorker, row, brand.wait) : null
    }
    return { ticketId: row.ticketId, messageId: row.messageId, state: settled, replayed: false }
  }

  #awaitWorker(wake: () => void, row: NewTicketRow, wait: number): Promise<Settled> {
    const settled = this.#deps.carrier.waitFor(row.brandId, 'desk', row.delivery.deliveryId, wait)
    wake()
    return settled
  }

  async #replay(brandId: string, messageId: string, left: number): Promise<Accepted> {
    const patience = Math.max(left, LAST_READ_MS)
    const { database, outages } = this.#deps
    const state = await outages.database(
      database.run(patience, (sql) => readMessageState(sql, brandId, messageId)),
    )
    if (state === null) throw new Error('an idempotency key names a message that is not there')
    return { ...state, messageId, replayed: true }
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
