import type { Readable } from 'node:stream'
import type { Ticket, TicketPage } from '@bellhop/contract'
import type { BlobFolder } from '../blobs/blob-folder.ts'
import type { Brand } from '../config.ts'
import { measureTicket } from '../conversation/ticket-size.store.ts'
import type { Database, Sql } from '../database/pool.ts'
import { AppError, unavailable } from '../errors.ts'
import { fromId } from '../ids.ts'
import type { Caller } from './caller.ts'
import { claimTickets } from './claim.store.ts'
import { readCursor, readListRequest, writeCursor } from './list.request.ts'
import type { Outages } from './outage.ts'
import { findOwnTicket, type OwnTicket } from './own-ticket.ts'
import { judgeOwner, personOf, verifiedEmail } from './owner.ts'
import { ReadingRoom, SMALL_TICKET } from './reading-room.ts'
import { type AttachmentRow, readAttachmentRow, readMessages } from './ticket.store.ts'
import { toSummary, toTicket } from './ticket.view.ts'
import { listTickets } from './ticket-list.store.ts'

/** How long a request waits for one statement, in milliseconds. */
const STATEMENT_LIMIT_MS = 5000

export type TicketReaderDeps = {
  database: Database
  outages: Outages
  blobs: BlobFolder
  brands: ReadonlyMap<string, Brand>
  /** What cursors are signed with. */
  signingSecret: Buffer
}

/** What a customer, or a trusted client of the brand, may read. */
export class TicketReader {
  readonly #deps: TicketReaderDeps
  readonly #room = new ReadingRoom()

  constructor(deps: TicketReaderDeps) {
    this.#deps = deps
  }

  /**
   * A page of a person's tickets, those that moved last first.
   * @param query as Fastify parses it
   * @returns `leave`: as of {@link read}
   * @throws AppError `validation_error`, `unknown_brand`, `unavailable`, and as {@link judgeOwner} does
   */
  async list(
    caller: Caller,
    query: Readonly<Record<string, unknown>>,
  ): Promise<{ brand: Brand; page: TicketPage; leave: () => void }> {
    const request = readListRequest(query)
    const brand = this.#deps.brands.get(request.brandId)
    if (brand === undefined)
      throw new AppError('unknown_brand', 'brand_id is not a brand of this installation.')
    const personId = judgePerson(caller, brand, request.personId)
    const scope = { brandId: brand.id, personId, status: request.status }
    const { signingSecret } = this.#deps
    const behind = request.cursor === null ? null : readCursor(signingSecret, scope, request.cursor)
    if (behind === null) await this.#claim(caller, brand, personId)
    const { rows, found } = await this.query((sql) =>
      listTickets(sql, { ...scope, behind, limit: request.limit + 1 }),
    )
    const shown = rows.slice(0, request.limit)
    const last = shown.at(-1)
    const isLast = found === shown.length || last === undefined
    return {
      brand,
      leave: this.#room.enter(shown.reduce((sum, { subject }) => sum + Buffer.byteLength(subject), 0)),
      page: {
        data: shown.map(toSummary),
        next_cursor: isLast ? null : writeCursor(signingSecret, scope, last),
      },
    }
  }

  /**
   * @returns `leave`: to be called once the caller has the ticket, or has gone
   * @throws AppError as {@link findOwnTicket} does, and `unavailable` where too much is read at once
   */
  async read(caller: Caller, ticketId: string): Promise<{ brand: Brand; ticket: Ticket; leave: () => void }> {
    const { brand, ticket } = await this.find(caller, ticketId)
    const read = (most: number | null) =>
      this.query((sql) => readMessages(sql, brand.id, ticket.ticketId, most))
    // Nearly every ticket is small, and is read at once. Of any other one nothing is, until there is room for what it was
    // when it was measured.
    const small = await read(SMALL_TICKET)
    if (small.length > 0) return { brand, ticket: toTicket(ticket, small), leave: () => {} }
    const bytes = await this.query((sql) => measureTicket(sql, brand.id, ticket.ticketId))
    const leave = this.#room.enter(bytes + Buffer.byteLength(ticket.subject))
    try {
      return { brand, ticket: toTicket(ticket, await read(null)), leave }
    } catch (error) {
      leave()
      throw error
    }
  }

  /** @throws AppError as {@link findOwnTicket} does, and `not_found` */
  async attachment(
    caller: Caller,
    ticketId: string,
    attachmentId: string,
  ): Promise<{ brand: Brand; file: AttachmentRow }> {
    const { brand, ticket } = await this.find(caller, ticketId)
    const uuid = fromId('att', attachmentId)
    const file = uuid && (await this.query((sql) => readAttachmentRow(sql, brand.id, ticket.ticketId, uuid)))
    if (!file) throw new AppError('not_found', 'There is no such attachment on this ticket.')
    return { brand, file }
  }

  /**
   * The bytes of an attachment, which were found to be whole.
   * @throws AppError `unavailable` where they cannot be read now, as where the folder is not mounted;
   *   BlobDamaged, a fault for the operator to mend
   */
  async open(file: AttachmentRow): Promise<Readable> {
    try {
      return await this.#deps.blobs.stream(file.sha256.toString('hex'))
    } catch (error) {
      if (!(error instanceof Error && 'syscall' in error)) throw error
      throw unavailable('The attachment cannot be read now.', 5, error)
    }
  }

  /** @throws AppError `not_found`, or `insufficient_scope` where only that is missing */
  find(caller: Caller, ticketId: string): Promise<OwnTicket> {
    const { brands } = this.#deps
    return findOwnTicket({ brands, query: (work) => this.query(work) }, caller, ticketId)
  }

  query<T>(work: (sql: Sql) => PromiseLike<T>): Promise<T> {
    const { outages, database } = this.#deps
    return outages.database(database.run(STATEMENT_LIMIT_MS, work))
  }

  /** What came by mail from an address that the token proves is the person's own from here on. */
  async #claim(caller: Caller, brand: Brand, personId: string): Promise<void> {
    const email = verifiedEmail(caller)
    if (email === null || personOf(caller, brand) !== personId) return
    const { issuer } = caller
    await this.query((sql) =>
      claimTickets(sql, { brandId: brand.id, issuer, personId, email, ticketId: null }),
    )
  }
}

/**
 * Whose tickets are asked for: one's own unless told, and a trusted client must tell.
 * @throws AppError as {@link judgeOwner} does, and `validation_error`
 */
function judgePerson(caller: Caller, brand: Brand, asked: string | null): string {
  const personId = asked ?? personOf(caller, brand)
  // Nobody has an empty id, so that who is no trusted client is told that.
  const actor = judgeOwner(caller, brand, personId ?? '')
  if (personId !== null) return personId
  if (actor.kind === 'client') throw new AppError('validation_error', 'person_id is required.')
  throw new AppError('forbidden_person', "The access token's person is not person_id.")
}
