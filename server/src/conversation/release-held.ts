import type { Executor } from '../database/pool.ts'
import { AppError } from '../errors.ts'
import { readTicketOf, unhold } from './conversation.store.ts'
import type { Actor, ConversationDeps } from './conversation.ts'
import { follow, type SaidResult } from './say.ts'
import { lockOpenTicket } from './status.ts'

/**
 * Holds a message no longer, in the caller's transaction: from now on it is as if it had just been said, with its
 * deliveries and its ticket's status.
 * @returns what it made; null where it was not held, or another has released it
 * @throws AppError `not_found`, or `ticket_closed` on a closed ticket
 */
export async function releaseHeld(
  tx: Executor,
  deps: ConversationDeps,
  release: Actor & { brandId: string; messageId: string },
): Promise<Omit<SaidResult, 'createdAt'> | null> {
  const { brandId, messageId } = release
  const ticketId = await readTicketOf(tx, brandId, messageId)
  if (ticketId === null) throw new AppError('not_found', 'There is no such message.')
  // The ticket first, as everybody does who speaks on it.
  const ticket = await lockOpenTicket(tx, brandId, ticketId)
  const message = await unhold(tx, brandId, messageId)
  if (message === null) return null
  const opens = !message.automatic && (message.author === 'customer' || message.author === 'participant')
  const status = opens ? 'open' : ticket.status
  const deliveryIds = await follow(tx, deps, {
    ...release,
    ...message,
    heldFor: null,
    ticketId,
    ticket,
    status,
    action: 'message.released',
  })
  return { status, deliveryIds }
}
