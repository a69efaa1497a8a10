import type { TicketStatus } from '../connectors/connector.ts'
import type { Executor } from '../database/pool.ts'
import {
  type Entry,
  insertMessage,
  type LockedTicket,
  type NewMessageRow,
  readPeople,
  writeConsequences,
} from './conversation.store.ts'
import { type Actor, brandOf, type ConversationDeps } from './conversation.ts'
import { type PromisedRow, toDeliveryRow } from './delivery-row.ts'
import { type MessageFacts, needsPeople, promisesOfMessage } from './promises.ts'
import { followStatus, lockOpenTicket } from './status.ts'
import { isVisibleToCustomer, type Visibility } from './visible.ts'

/** Something that is said on a ticket after its first message. Ids are UUIDs; the blobs are kept already. */
export type Said = NewMessageRow &
  Actor & {
    /**
     * What the ticket's status becomes; undefined: what a customer or a participant says opens it again, anything
     * else leaves it as it is. Of what is held or automatic it counts for nothing.
     */
    status?: TicketStatus | undefined
  }

export type SaidResult = { status: TicketStatus; createdAt: Date; deliveryIds: string[] }

/**
 * Says something on a ticket, in the caller's transaction: the message, its attachments, the deliveries it makes,
 * the audit entries, and the ticket's status. The ticket stays locked until COMMIT. Only what a customer may see
 * moves `updated_at`.
 * @throws AppError `not_found`, or `ticket_closed` on a closed ticket
 */
export async function say(tx: Executor, deps: ConversationDeps, said: Said): Promise<SaidResult> {
  const ticket = await lockOpenTicket(tx, said.brandId, said.ticketId)
  const createdAt = await insertMessage(tx, said)
  const status = statusAfter(ticket.status, said)
  const deliveryIds = await follow(tx, deps, { ...said, ticket, status, action: actionOf(said) })
  return { status, createdAt, deliveryIds }
}

/** What the status is after a message. */
function statusAfter(before: TicketStatus, said: Visibility & Pick<Said, 'status'>): TicketStatus {
  if (said.heldFor !== null || said.automatic) return before
  if (said.status !== undefined) return said.status
  return said.author === 'customer' || said.author === 'participant' ? 'open' : before
}

function actionOf({ author, heldFor, automatic }: Visibility): string {
  if (author === 'note') return 'message.noted'
  if (automatic) return 'message.automatic'
  return heldFor === null ? 'message.created' : 'message.held'
}

/** A message that is kept, on a ticket that is locked, and what its status becomes with it. */
export type Followed = MessageFacts &
  Actor & {
    brandId: string
    ticketId: string
    messageId: string
    inboundMailId: string | null
    ticket: LockedTicket
    status: TicketStatus
    action: string
  }

/** Writes down what follows of a message. @returns the ids of its deliveries */
export async function follow(tx: Executor, deps: ConversationDeps, message: Followed): Promise<string[]> {
  const { brandId, ticketId, messageId, ticket, status } = message
  const deliveries = await deliveriesOf(tx, deps, message)
  const entries: Entry[] = [{ action: message.action, messageId, status: null }]
  if (status !== ticket.status) {
    const change = await followStatus(tx, deps, message)
    deliveries.push(...change.deliveries)
    entries.push(...change.entries)
  }
  const moves = isVisibleToCustomer(message) || status !== ticket.status
  const { actor, actorId, inboundMailId } = message
  const moved = moves ? status : null
  await writeConsequences(tx, {
    brandId,
    ticketId,
    actor,
    actorId,
    inboundMailId,
    moved,
    deliveries,
    entries,
  })
  return deliveries.map(({ deliveryId }) => deliveryId)
}

async function deliveriesOf(tx: Executor, deps: ConversationDeps, message: Followed): Promise<PromisedRow[]> {
  const { brandId, ticketId, messageId, ticket } = message
  const brand = brandOf(deps, brandId)
  const people = needsPeople(brand, message)
    ? await readPeople(tx, brandId, ticketId, ticket)
    : {
        requester: { address: ticket.requesterEmail, proven: ticket.addressProven },
        participants: [],
      }
  const desk = deps.connectorOf(brandId)
  return promisesOfMessage(brand, message, people).map((promised) =>
    toDeliveryRow(promised, { brand, messageId, desk }),
  )
}
