import type { Brand } from '../config.ts'
import type { Sql } from '../database/pool.ts'
import { AppError } from '../errors.ts'
import { fromId } from '../ids.ts'
import { sameAddress } from '../mail/acknowledgement.ts'
import type { Caller } from './caller.ts'
import { claimTickets } from './claim.store.ts'
import { type Actor, actorFor, personOf, requireScope, speaksFor, verifiedEmail } from './owner.ts'
import { readTicket, type TicketRow } from './ticket.store.ts'

export type OwnTicketDeps = {
  brands: ReadonlyMap<string, Brand>
  query: <T>(work: (sql: Sql) => PromiseLike<T>) => Promise<T>
}

/** A ticket with its person. */
export type OwnedRow = TicketRow & { personId: string }

/** A ticket that its caller may read, and as whom. */
export type OwnTicket = { brand: Brand; actor: Actor; ticket: OwnedRow }

/**
 * The ticket with this id, where it is the caller's own or the caller is a trusted client of its brand. One that
 * came by mail and that the token's verified address claims becomes its person's own. Anyone else's and one that
 * does not exist are the same.
 * @throws AppError `not_found`, or `insufficient_scope` where only that is missing
 */
export async function findOwnTicket(
  deps: OwnTicketDeps,
  caller: Caller,
  ticketId: string,
): Promise<OwnTicket> {
  const uuid = fromId('tkt', ticketId)
  const brandIds = [...deps.brands.values()]
    .filter((brand) => speaksFor(caller, brand))
    .map((brand) => brand.id)
  if (uuid === null || brandIds.length === 0) throw notFound()
  const read = () => deps.query((sql) => readTicket(sql, brandIds, uuid))
  const found = await read()
  const brand = found && deps.brands.get(found.brandId)
  if (!found || !brand) throw notFound()
  const ticket = found.personId === null ? await claim(deps, caller, brand, found, read) : found
  if (ticket === null || !isOwned(ticket)) throw notFound()
  const actor = actorFor(caller, brand, ticket.personId)
  if (actor === null) throw notFound()
  requireScope(caller, brand)
  return { brand, actor, ticket }
}

export function notFound(): AppError {
  return new AppError('not_found', 'There is no such ticket.')
}

/** @returns the ticket as it is then, whoever has claimed it; null where the caller cannot */
async function claim(
  deps: OwnTicketDeps,
  caller: Caller,
  brand: Brand,
  ticket: TicketRow,
  read: () => Promise<TicketRow | null>,
): Promise<TicketRow | null> {
  const personId = personOf(caller, brand)
  const email = verifiedEmail(caller)
  if (personId === null || email === null || !ticket.addressProven) return null
  if (!sameAddress(email, ticket.requesterEmail)) return null
  requireScope(caller, brand)
  const { issuer } = caller
  const { ticketId } = ticket
  await deps.query((sql) => claimTickets(sql, { brandId: brand.id, issuer, personId, email, ticketId }))
  return read()
}

function isOwned(ticket: TicketRow): ticket is OwnedRow {
  return ticket.personId !== null
}
