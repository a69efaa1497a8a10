import type { TicketStatus } from '../connectors/connector.ts'
import type { Executor } from '../database/pool.ts'
import { AppError } from '../errors.ts'
import {
  type Entry,
  type LockedTicket,
  lockTicket,
  readFirstMessage,
  writeConsequences,
} from './conversation.store.ts'
import { type Actor, brandOf, type ConversationDeps } from './conversation.ts'
import { type PromisedRow, toDeliveryRow } from './delivery-row.ts'
import { promisesOfStatus } from './promises.ts'

export type StatusChange = Actor & { brandId: string; ticketId: string; status: TicketStatus }

/**
 * Changes a ticket's status, in the caller's transaction. The status that it has already is no change and leaves
 * no entry.
 * @returns the status that it has now
 * @throws AppError `not_found`, or `ticket_closed` on a closed ticket
 */
export async function setStatus(
  tx: Executor,
  deps: ConversationDeps,
  change: StatusChange,
): Promise<TicketStatus> {
  const { brandId, ticketId, status } = change
  const ticket = await lockOpenTicket(tx, brandId, ticketId)
  if (ticket.status === status) return status
  const { deliveries, entries } = await followStatus(tx, deps, change)
  await writeConsequences(tx, { ...change, moved: status, deliveries, entries, inboundMailId: null })
  return status
}

/** Locks a ticket that may still be spoken on. @throws AppError `not_found`, `ticket_closed` */
export async function lockOpenTicket(tx: Executor, brandId: string, ticketId: string): Promise<LockedTicket> {
  const ticket = await lockTicket(tx, brandId, ticketId)
  if (ticket === null) throw new AppError('not_found', 'There is no such ticket.')
  if (ticket.status === 'closed') throw new AppError('ticket_closed', 'The ticket is closed.')
  return ticket
}

/** What follows of a status that is another than before: its audit entry, and what the desk is told. */
export async function followStatus(
  tx: Executor,
  deps: ConversationDeps,
  { brandId, ticketId, status, actor }: StatusChange,
): Promise<{ deliveries: PromisedRow[]; entries: Entry[] }> {
  const brand = brandOf(deps, brandId)
  const promised = promisesOfStatus(brand.desk, status, actor)
  const entries = [{ action: 'ticket.status', messageId: null, status }]
  if (promised.length === 0) return { deliveries: [], entries }
  const messageId = await readFirstMessage(tx, brandId, ticketId)
  const desk = deps.connectorOf(brandId)
  return { deliveries: promised.map((one) => toDeliveryRow(one, { brand, messageId, desk })), entries }
}
