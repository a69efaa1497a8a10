import { toId } from '../ids.ts'
import { toStatus } from '../tickets/ticket.view.ts'
import type { ChangeRow } from './change.store.ts'

/** What a client is told of a ticket: that something is there, and where to read it. */
export type TicketEvent =
  | { type: 'message.created'; ticket_id: string; message_id: string; created_at: string }
  | { type: 'message.updated'; ticket_id: string; message_id: string; status: string }
  | { type: 'ticket.updated'; ticket_id: string; status: string; updated_at: string }
  /** What is missing cannot be told: the ticket is to be read anew. */
  | { type: 'reset'; ticket_id: string }

/** Milliseconds after which a client comes back. */
const RETRY_MS = 2000

/** The first words of a stream. The id, where there is one, is what the client begins with. */
export function greeting(eventId: string | null): string {
  return eventId === null ? `retry: ${RETRY_MS}\n\n` : `retry: ${RETRY_MS}\nid: ${eventId}\n\n`
}

/** A comment, by which both sides notice that the other is gone. */
export const HEARTBEAT = ':\n\n'

/** @see https://html.spec.whatwg.org/multipage/server-sent-events.html#event-stream-interpretation */
export function eventText(eventId: string, event: TicketEvent): string {
  return `id: ${eventId}\nevent: ${event.type}\ndata: ${JSON.stringify(event)}\n\n`
}

export function resetOf(ticketId: string): TicketEvent {
  return { type: 'reset', ticket_id: toId('tkt', ticketId) }
}

/** The event that a change makes; null where it is none of the customer's matter. */
export function toEvent(change: ChangeRow): TicketEvent | null {
  const { action, message } = change
  const ticket_id = toId('tkt', change.ticketId)
  if (action === 'ticket.status') {
    if (change.status === null) return null
    const updated_at = change.updatedAt.toISOString()
    return { type: 'ticket.updated', ticket_id, status: change.status, updated_at }
  }
  if (message === null) return null
  const message_id = toId('msg', message.messageId)
  if (action === 'message.created' || action === 'message.released') {
    return { type: 'message.created', ticket_id, message_id, created_at: message.createdAt.toISOString() }
  }
  if (!action.startsWith('delivery.') || !change.ofReceipt || message.state === null) return null
  const status = toStatus({ state: message.state, bouncedAt: message.bouncedAt })
  return { type: 'message.updated', ticket_id, message_id, status }
}
