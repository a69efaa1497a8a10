import type { Executor } from '../database/pool.ts'
import type { DeliveryState } from '../deliveries/delivery.store.ts'
import type { NewAttachmentRow } from './new-ticket.store.ts'

export type MessageState = { ticketId: string; state: DeliveryState }

/** Where a message stands now, for a replay. */
export async function readMessageState(
  sql: Executor,
  brandId: string,
  messageId: string,
): Promise<MessageState | null> {
  const [row] = await sql<MessageState[]>`
    SELECT m.ticket_id AS "ticketId", d.state
    FROM messages m JOIN deliveries d ON d.brand_id = m.brand_id AND d.message_id = m.id
    WHERE m.brand_id = ${brandId} AND m.id = ${messageId}`
  return row ?? null
}

export type TicketRow = {
  brandId: string
  ticketId: string
  personId: string
  subject: string
  status: 'open' | 'pending' | 'solved' | 'closed'
  createdAt: Date
  updatedAt: Date
}

/** The ticket with this id among these brands. */
export async function readTicket(
  sql: Executor,
  brandIds: string[],
  ticketId: string,
): Promise<TicketRow | null> {
  const [row] = await sql<TicketRow[]>`
    SELECT brand_id AS "brandId", id AS "ticketId", person_id AS "personId", subject, status,
      created_at AS "createdAt", updated_at AS "updatedAt"
    FROM tickets WHERE brand_id IN ${sql(brandIds)} AND id = ${ticketId}`
  return row ?? null
}

export type MessageRow = {
  messageId: string
  author: 'customer' | 'agent'
  body: string
  createdAt: Date
  /** Of its delivery; null for a message that is carried nowhere. */
  state: DeliveryState | null
}

/** The messages of a ticket that its owner may see, oldest first: an internal note is not among them. */
export async function readMessages(sql: Executor, brandId: string, ticketId: string): Promise<MessageRow[]> {
  return sql<MessageRow[]>`
    SELECT m.id AS "messageId", m.author, m.body, m.created_at AS "createdAt", d.state
    FROM messages m LEFT JOIN deliveries d ON d.brand_id = m.brand_id AND d.message_id = m.id
    WHERE m.brand_id = ${brandId} AND m.ticket_id = ${ticketId} AND m.author <> 'note'
    ORDER BY m.id`
}

export type AttachmentRow = NewAttachmentRow & { messageId: string }

/** The attachments of a ticket's messages, in their order. */
export async function readAttachments(
  sql: Executor,
  brandId: string,
  ticketId: string,
): Promise<AttachmentRow[]> {
  return sql<AttachmentRow[]>`
    SELECT a.message_id AS "messageId", a.id AS "attachmentId", a.filename, a.declared_type AS "declaredType",
      a.detected_type AS "detectedType", a.sha256, b.size::float8 AS size
    FROM messages m
    JOIN attachments a ON a.brand_id = m.brand_id AND a.message_id = m.id
    JOIN blobs b ON b.sha256 = a.sha256
    WHERE m.brand_id = ${brandId} AND m.ticket_id = ${ticketId} AND m.author <> 'note'
    ORDER BY a.id`
}
