import type { Executor } from '../database/pool.ts'

export type NewTicketRow = {
  brandId: string
  ticketId: string
  messageId: string
  issuer: string
  personId: string
  requesterEmail: string
  requesterName: string | null
  subject: string
  body: string
  actor: 'person' | 'client'
  /** The client's id; null for a person, whom the ticket names. */
  actorId: string | null
  auditId: string
  delivery: NewDeliveryRow
  attachments: NewAttachmentRow[]
  key: IdempotencyKeyRow | null
}

export type NewDeliveryRow = {
  deliveryId: string
  connector: string
  mailMessageId: string | null
  /**
   * `delivered` where COMMIT is the delivery, `leased` where this process attempts it at once, `pending`
   * where a worker will.
   */
  state: 'delivered' | 'leased' | 'pending'
  /** The process that holds the lease. */
  lockedBy: string | null
  /** Seconds; 0 where nothing is leased. */
  lease: number
}

export type NewAttachmentRow = {
  attachmentId: string
  filename: string
  declaredType: string | null
  detectedType: string | null
  sha256: Buffer
  size: number
}

export type IdempotencyKeyRow = { digest: Buffer; requestHash: Buffer }

export type Inserted =
  | { kind: 'created'; createdAt: Date }
  /** The key was taken before: by this message, for a request of this hash. */
  | { kind: 'taken'; messageId: string; requestHash: Buffer }

/**
 * Keeps a ticket: its message, attachments, delivery, audit entry and idempotency key, in one statement.
 *
 * A key is written by ON CONFLICT DO UPDATE, whose winner alone feeds the other inserts: the conflicting row
 * is locked, so a second request waits for the first one's COMMIT and then reads whose key it is. DO NOTHING
 * with a look-up beside it was tried with 300 keys at 16 requests each and found neither row 3,087 times.
 * An expired key that was not swept yet is taken over.
 */
export async function insertTicket(sql: Executor, row: NewTicketRow): Promise<Inserted> {
  const { delivery, key } = row
  const claim = key
    ? sql`
      claimed AS (
        INSERT INTO idempotency_keys AS held (brand_id, digest, request_hash, message_id, expires_at)
        VALUES (${row.brandId}, ${key.digest}, ${key.requestHash}, ${row.messageId}, now() + interval '24 hours')
        ON CONFLICT (brand_id, digest) DO UPDATE SET
          request_hash = CASE WHEN held.expires_at <= now() THEN excluded.request_hash ELSE held.request_hash END,
          message_id = CASE WHEN held.expires_at <= now() THEN excluded.message_id ELSE held.message_id END,
          expires_at = CASE WHEN held.expires_at <= now() THEN excluded.expires_at ELSE held.expires_at END
        RETURNING message_id, request_hash
      ),`
    : sql``
  const ifWon = key ? sql`FROM claimed WHERE message_id = ${row.messageId}` : sql``
  const attachments =
    row.attachments.length > 0
      ? sql`,
      file AS (
        SELECT f.*, decode(f.digest, 'hex') AS sha256
        FROM message, json_to_recordset(${attachmentsJson(row.attachments)}::text::json)
          AS f(id uuid, filename text, declared_type text, detected_type text, digest text, size bigint)
      ),
      blob AS (
        INSERT INTO blobs (sha256, size) SELECT DISTINCT ON (sha256) sha256, size FROM file
        ON CONFLICT (sha256) DO UPDATE SET size = excluded.size
      ),
      attachment AS (
        INSERT INTO attachments (brand_id, id, message_id, filename, declared_type, detected_type, sha256)
        SELECT ${row.brandId}, id, ${row.messageId}, filename, declared_type, detected_type, sha256 FROM file
      )`
      : sql``
  const result = key
    ? sql`SELECT claimed.message_id, claimed.request_hash, ticket.created_at FROM claimed LEFT JOIN ticket ON true`
    : sql`SELECT created_at FROM ticket`

  const rows = await sql<{ message_id?: string; request_hash?: Buffer; created_at: Date | null }[]>`
    WITH ${claim}
      ticket AS (
        INSERT INTO tickets
          (brand_id, id, issuer, person_id, requester_email, requester_name, subject)
        SELECT ${row.brandId}, ${row.ticketId}, ${row.issuer}, ${row.personId}, ${row.requesterEmail},
          ${row.requesterName}, ${row.subject} ${ifWon}
        RETURNING created_at
      ),
      message AS (
        INSERT INTO messages (brand_id, id, ticket_id, author, body)
        SELECT ${row.brandId}, ${row.messageId}, ${row.ticketId}, 'customer', ${row.body} FROM ticket
        RETURNING id
      ),
      delivery AS (
        INSERT INTO deliveries
          (brand_id, id, message_id, connector, mail_message_id, state, attempts, locked_by, due_at, finished_at)
        SELECT ${row.brandId}, ${delivery.deliveryId}, ${row.messageId}, ${delivery.connector},
          ${delivery.mailMessageId}, ${delivery.state}, ${delivery.state === 'leased' ? 1 : 0}, ${delivery.lockedBy},
          now() + make_interval(secs => ${delivery.lease}),
          CASE WHEN ${delivery.state === 'delivered'} THEN now() END
        FROM ticket
      ),
      audit AS (
        INSERT INTO audit_entries (brand_id, id, actor, actor_id, action, ticket_id, message_id, delivery_id)
        SELECT ${row.brandId}, ${row.auditId}, ${row.actor}, ${row.actorId}, 'ticket.created',
          ${row.ticketId}, ${row.messageId}, ${delivery.deliveryId} FROM ticket
      )${attachments}
    ${result}`

  const [inserted] = rows
  if (inserted === undefined) throw new Error('the statement that keeps a ticket returned no row')
  if (inserted.created_at !== null) return { kind: 'created', createdAt: inserted.created_at }
  const { message_id: messageId, request_hash: requestHash } = inserted
  if (messageId === undefined || requestHash === undefined) throw new Error('a key was taken by nobody')
  return { kind: 'taken', messageId, requestHash }
}

// JSON, since an array parameter of postgres.js needs types that it would have to ask the server for first.
function attachmentsJson(attachments: NewAttachmentRow[]): string {
  return JSON.stringify(
    attachments.map((file) => ({
      id: file.attachmentId,
      filename: file.filename,
      declared_type: file.declaredType,
      detected_type: file.detectedType,
      digest: file.sha256.toString('hex'),
      size: file.size,
    })),
  )
}

export type MessageState = { ticketId: string; state: DeliveryState }
export type DeliveryState = 'pending' | 'leased' | 'delivered' | 'rejected' | 'dead'

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

export type AttachmentRow = {
  messageId: string
  attachmentId: string
  filename: string
  declaredType: string | null
  detectedType: string | null
  sha256: Buffer
  size: number
}

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

/** Did the statement give up waiting for another one that writes the same idempotency key? */
export function isKeyHeld(error: unknown): boolean {
  const { code, where } = error as { code?: unknown; where?: unknown }
  return code === '55P03' && typeof where === 'string' && where.includes('idempotency_keys')
}
