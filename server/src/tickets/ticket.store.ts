import { receiptOfMessage } from '../conversation/receipt.ts'
import { bytesOf, filesOf } from '../conversation/ticket-size.store.ts'
import { visibleToCustomer } from '../conversation/visible.ts'
import type { Executor } from '../database/pool.ts'
import type { DeliveryState } from '../deliveries/delivery.store.ts'
import type { NewAttachmentRow } from './new-ticket.store.ts'

export type MessageState = { ticketId: string; state: DeliveryState }

/** Where what a customer said stands now on its way to the desk, for a replay. */
export async function readMessageState(
  sql: Executor,
  brandId: string,
  messageId: string,
): Promise<MessageState | null> {
  const [row] = await sql<MessageState[]>`
    SELECT m.ticket_id AS "ticketId", d.state
    FROM messages m JOIN deliveries d ON d.brand_id = m.brand_id AND d.message_id = m.id
    WHERE m.brand_id = ${brandId} AND m.id = ${messageId} AND d.side = 'desk' AND d.kind = 'message'`
  return row ?? null
}

export type TicketStatus = 'open' | 'pending' | 'solved' | 'closed'

export type TicketRow = {
  brandId: string
  ticketId: string
  /** Null where it came by mail and nobody has claimed it. */
  personId: string | null
  requesterEmail: string
  requesterName: string | null
  /** Whether the address is known to be the requester's. */
  addressProven: boolean
  subject: string
  status: TicketStatus
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
    SELECT brand_id AS "brandId", id AS "ticketId", person_id AS "personId", requester_email AS "requesterEmail",
      requester_name AS "requesterName", address_proven AS "addressProven", subject, status,
      created_at AS "createdAt", updated_at AS "updatedAt"
    FROM tickets WHERE brand_id IN ${sql(brandIds)} AND id = ${ticketId}`
  return row ?? null
}

export type DeliveryRow = {
  state: DeliveryState
  attempts: number
  lastAttemptAt: Date | null
  finishedAt: Date | null
  bouncedAt: Date | null
}

export type AttachmentRow = NewAttachmentRow & { messageId: string }

export type MessageRow = {
  messageId: string
  author: 'customer' | 'agent' | 'participant' | 'system'
  authorName: string | null
  body: string
  createdAt: Date
  /** Null where it is carried nowhere. */
  delivery: DeliveryRow | null
  /** In their order. */
  attachments: AttachmentRow[]
}

type FlatMessageRow = Omit<MessageRow, 'delivery' | 'attachments'> &
  Omit<DeliveryRow, 'state'> & { state: DeliveryState | null; files: FileJson[] | null }

/** An attachment as PostgreSQL writes it in JSON. */
type FileJson = Omit<AttachmentRow, 'messageId' | 'sha256'> & { sha256: string }

/**
 * The messages of a ticket that its owner may see, in the order in which they were said, each with its attachments
 * and its delivery, where {@link receiptOfMessage} finds one.
 * @param most bytes, as {@link measureTicket} measures them: none is read of a ticket that has more. Null: as many
 *   as there are
 */
export async function readMessages(
  sql: Executor,
  brandId: string,
  ticketId: string,
  most: number | null,
): Promise<MessageRow[]> {
  const rows = await sql<FlatMessageRow[]>`
    SELECT m.id AS "messageId", m.author, m.author_name AS "authorName", m.body, m.created_at AS "createdAt",
      d.state, d.attempts, d.finished_at AS "finishedAt", d.bounced_at AS "bouncedAt",
      CASE WHEN d.attempts > 0 THEN (
        SELECT max(a.ended_at) FROM attempts a WHERE a.brand_id = m.brand_id AND a.delivery_id = d.id
      ) END AS "lastAttemptAt",
      CASE WHEN m.files > 0 THEN (
        SELECT json_agg(json_build_object('attachmentId', a.id, 'filename', a.filename,
          'declaredType', a.declared_type, 'detectedType', a.detected_type, 'sha256', encode(a.sha256, 'hex'),
          'size', b.size) ORDER BY a.id)
        FROM attachments a JOIN blobs b ON b.sha256 = a.sha256
        WHERE a.brand_id = m.brand_id AND a.message_id = m.id
      ) END AS files
    FROM (
      SELECT m.*, files.count AS files, sum(${bytesOf(sql)}) OVER () AS bytes
      FROM messages m, LATERAL ${filesOf(sql)} files
      WHERE m.brand_id = ${brandId} AND m.ticket_id = ${ticketId} AND ${visibleToCustomer(sql)}
    ) m
    LEFT JOIN LATERAL ${receiptOfMessage(sql)} d ON true
    WHERE m.bytes <= coalesce(${most}::float8, 'infinity')
    ORDER BY m.created_at, m.id`
  return rows.map(({ messageId, author, authorName, body, createdAt, state, files, ...delivery }) => ({
    messageId,
    author,
    authorName,
    body,
    createdAt,
    delivery: state === null ? null : { state, ...delivery },
    attachments: (files ?? []).map((file) => ({
      ...file,
      messageId,
      sha256: Buffer.from(file.sha256, 'hex'),
    })),
  }))
}

/** One attachment of a message that the ticket's owner may see. */
export async function readAttachmentRow(
  sql: Executor,
  brandId: string,
  ticketId: string,
  attachmentId: string,
): Promise<AttachmentRow | null> {
  const [row] = await sql<AttachmentRow[]>`
    SELECT a.message_id AS "messageId", a.id AS "attachmentId", a.filename, a.declared_type AS "declaredType",
      a.detected_type AS "detectedType", a.sha256, b.size::float8 AS size
    FROM messages m
    JOIN attachments a ON a.brand_id = m.brand_id AND a.message_id = m.id
    JOIN blobs b ON b.sha256 = a.sha256
    WHERE a.brand_id = ${brandId} AND a.id = ${attachmentId} AND m.ticket_id = ${ticketId} AND ${visibleToCustomer(sql)}`
  return row ?? null
}
