import { CUSTOMER_MAIL } from '../connectors/connector.ts'
import { attachmentJson, type NewAttachmentRow } from '../conversation/attachment-row.ts'
import { ACKNOWLEDGEMENTS_PER_HOUR } from '../conversation/open-ticket.store.ts'
import { type Executor, isLockTimeout } from '../database/pool.ts'

export type { NewAttachmentRow } from '../conversation/attachment-row.ts'

export type NewTicketRow = {
  brandId: string
  ticketId: string
  messageId: string
  issuer: string
  personId: string
  requesterEmail: string
  requesterName: string | null
  /** Whether the address is known to be the requester's. */
  addressProven: boolean
  subject: string
  body: string
  actor: 'person' | 'client'
  /** The client's id; null for a person, whom the ticket names. */
  actorId: string | null
  auditId: string
  delivery: NewDeliveryRow
  /** The mail that tells the requester that it came; null: none is sent. */
  acknowledgement: NewAcknowledgementRow | null
  attachments: NewAttachmentRow[]
  key: IdempotencyKeyRow | null
}

export type NewDeliveryRow = {
  deliveryId: string
  connector: string
  mailMessageId: string | null
  /**
   * `delivered` where COMMIT is the delivery, `leased` where this process attempts it at once, `pending`
   * where a worker will. While deliveries are on hold, `leased` is kept as `pending`.
   */
  state: 'delivered' | 'leased' | 'pending'
  /** The process that holds the lease. */
  lockedBy: string | null
  /** Seconds; 0 where nothing is leased. */
  lease: number
}

export type NewAcknowledgementRow = { deliveryId: string; recipient: string; mailMessageId: string }

export type IdempotencyKeyRow = { digest: Buffer; requestHash: Buffer }

export type Inserted =
  /** `held`: it is to be carried and deliveries are on hold, so nobody has the lease. */
  | { kind: 'created'; createdAt: Date; held: boolean }
  /** The key was taken before: by this message, for a request of this hash. */
  | { kind: 'taken'; messageId: string; requestHash: Buffer }

/**
 * Keeps tickets, each with its message, attachments, deliveries, audit entry and idempotency key, in one
 * statement and so in one COMMIT. They come as one JSON document, since an array parameter of postgres.js needs
 * types that it would have to ask the server for first.
 *
 * A key is written by ON CONFLICT DO UPDATE, whose winner alone feeds the other inserts: the conflicting row
 * is locked, so a second request waits for the first one's COMMIT and then reads whose key it is. DO NOTHING
 * with a look-up beside it was tried with 300 keys at 16 requests each and found neither row 3,087 times.
 * An expired key that was not swept yet is taken over. Keys are locked in the order of their digests, so that
 * two processes that keep the same keys wait for each other in one direction only. The statement itself says how
 * long it waits for a key; the locks on its tables it takes before, with the session's own patience.
 *
 * Whether deliveries are on hold (deliveries/hold.ts) is asked here, so that none is leased under one.
 * @param rows no two with the same key
 * @param keyPatience milliseconds to wait for another process that writes one of the keys
 * @returns what became of each, in their order
 */
export async function insertTickets(
  sql: Executor,
  rows: NewTicketRow[],
  keyPatience: number,
): Promise<Inserted[]> {
  const kept = await sql<KeptRow[]>`
    WITH asked AS MATERIALIZED (
      SELECT a.*, decode(a.digest, 'hex') AS key_digest,
        state <> 'delivered' AND EXISTS (SELECT FROM installation WHERE held_since IS NOT NULL) AS held
      FROM (SELECT set_config('lock_timeout', ${`${Math.max(1, Math.round(keyPatience))}ms`}, true)) AS patience,
        json_to_recordset(${JSON.stringify(rows.map(toJson))}::text::json) AS a(
        brand_id text, ticket_id uuid, message_id uuid, issuer text, person_id text, requester_email text,
        requester_name text, address_proven boolean, subject text, body text, actor text, actor_id text, audit_id uuid,
        delivery_id uuid, connector text, mail_message_id text, state text, locked_by text, lease float8,
        digest text, request_hash text, attachments json, ack_id uuid, ack_recipient text, ack_mail_message_id text)
    ),
    claimed AS (
      INSERT INTO idempotency_keys AS held (brand_id, digest, request_hash, message_id, expires_at)
      SELECT brand_id, key_digest, decode(request_hash, 'hex'), message_id, now() + interval '24 hours'
      FROM asked WHERE key_digest IS NOT NULL ORDER BY brand_id, key_digest
      ON CONFLICT (brand_id, digest) DO UPDATE SET
        request_hash = CASE WHEN held.expires_at <= now() THEN excluded.request_hash ELSE held.request_hash END,
        message_id = CASE WHEN held.expires_at <= now() THEN excluded.message_id ELSE held.message_id END,
        expires_at = CASE WHEN held.expires_at <= now() THEN excluded.expires_at ELSE held.expires_at END
      RETURNING brand_id, digest, message_id, request_hash
    ),
    outcome AS MATERIALIZED (
      SELECT asked.*, claimed.message_id AS taken_by, claimed.request_hash AS taken_hash
      FROM asked LEFT JOIN claimed ON claimed.brand_id = asked.brand_id AND claimed.digest = asked.key_digest
    ),
    won AS MATERIALIZED (
      SELECT * FROM outcome WHERE key_digest IS NULL OR taken_by = message_id
    ),
    ticket AS (
      INSERT INTO tickets (brand_id, id, issuer, person_id, requester_email, requester_name, address_proven, subject)
      SELECT brand_id, ticket_id, issuer, person_id, requester_email, requester_name, address_proven, subject FROM won
    ),
    message AS (
      INSERT INTO messages (brand_id, id, ticket_id, author, body)
      SELECT brand_id, message_id, ticket_id, 'customer', body FROM won
    ),
    delivery AS (
      INSERT INTO deliveries
        (brand_id, id, message_id, connector, mail_message_id, state, attempts, locked_by, due_at, finished_at)
      SELECT brand_id, delivery_id, message_id, connector, mail_message_id,
        CASE WHEN held AND state = 'leased' THEN 'pending' ELSE state END,
        CASE WHEN state = 'leased' AND NOT held THEN 1 ELSE 0 END, CASE WHEN NOT held THEN locked_by END,
        now() + make_interval(secs => CASE WHEN held THEN 0 ELSE lease END), CASE state WHEN 'delivered' THEN now() END
      FROM won
    ),${rows.some((row) => row.acknowledgement !== null) ? acknowledge(sql) : sql``}
    audit AS (
      INSERT INTO audit_entries (brand_id, id, actor, actor_id, action, ticket_id, message_id, delivery_id)
      SELECT brand_id, audit_id, actor, actor_id, 'ticket.created', ticket_id, message_id, delivery_id FROM won
    ),
    file AS MATERIALIZED (
      SELECT won.brand_id, won.message_id, f.id, f.filename, f.declared_type, f.detected_type, f.size,
        decode(f.digest, 'hex') AS sha256
      FROM won, json_to_recordset(won.attachments)
        AS f(id uuid, filename text, declared_type text, detected_type text, digest text, size bigint)
    ),
    blob AS (
      INSERT INTO blobs (sha256, size) SELECT DISTINCT ON (sha256) sha256, size FROM file ORDER BY sha256
      ON CONFLICT (sha256) DO UPDATE SET size = excluded.size
    ),
    attachment AS (
      INSERT INTO attachments (brand_id, id, message_id, filename, declared_type, detected_type, sha256)
      SELECT brand_id, id, message_id, filename, declared_type, detected_type, sha256 FROM file
    )
    SELECT message_id AS "messageId", taken_by AS "takenBy", taken_hash AS "takenHash", held,
      now() AS "createdAt"
    FROM outcome`
  const byMessage = new Map(kept.map((row) => [row.messageId, row]))
  return rows.map((row) => toInserted(byMessage.get(row.messageId)))
}

/** Of tickets to one address in one statement each counts those before it, which the table does not show yet. */
function acknowledge(sql: Executor) {
  return sql`
    acknowledged AS (
      INSERT INTO deliveries (brand_id, id, message_id, side, kind, recipient, connector, mail_message_id, state)
      SELECT w.brand_id, ack_id, message_id, 'customer', 'acknowledgement', ack_recipient, ${CUSTOMER_MAIL},
        ack_mail_message_id, 'pending'
      FROM (SELECT *, row_number() OVER (PARTITION BY brand_id, lower(ack_recipient)) AS place FROM won) w
      WHERE ack_id IS NOT NULL
        AND NOT EXISTS (SELECT FROM bounced_addresses b WHERE b.brand_id = w.brand_id AND b.address = ack_recipient)
        AND place + (SELECT count(*) FROM deliveries d
          WHERE d.brand_id = w.brand_id AND lower(d.recipient) = lower(ack_recipient) AND d.kind = 'acknowledgement'
            AND d.created_at > now() - interval '1 hour') <= ${ACKNOWLEDGEMENTS_PER_HOUR}
    ),`
}

type KeptRow = {
  messageId: string
  takenBy: string | null
  takenHash: Buffer | null
  held: boolean
  createdAt: Date
}

function toInserted(row: KeptRow | undefined): Inserted {
  if (row === undefined) throw new Error('the statement that keeps tickets left one out')
  const { messageId, takenBy, takenHash, held, createdAt } = row
  if (takenBy === null || takenHash === null || takenBy === messageId)
    return { kind: 'created', createdAt, held }
  return { kind: 'taken', messageId: takenBy, requestHash: takenHash }
}

function toJson(row: NewTicketRow): object {
  const { delivery, key, acknowledgement } = row
  return {
    brand_id: row.brandId,
    ticket_id: row.ticketId,
    message_id: row.messageId,
    issuer: row.issuer,
    person_id: row.personId,
    requester_email: row.requesterEmail,
    requester_name: row.requesterName,
    address_proven: row.addressProven,
    subject: row.subject,
    body: row.body,
    actor: row.actor,
    actor_id: row.actorId,
    audit_id: row.auditId,
    delivery_id: delivery.deliveryId,
    connector: delivery.connector,
    mail_message_id: delivery.mailMessageId,
    state: delivery.state,
    locked_by: delivery.lockedBy,
    lease: delivery.lease,
    digest: key?.digest.toString('hex'),
    request_hash: key?.requestHash.toString('hex'),
    attachments: row.attachments.map(attachmentJson),
    ack_id: acknowledgement?.deliveryId,
    ack_recipient: acknowledgement?.recipient,
    ack_mail_message_id: acknowledgement?.mailMessageId,
  }
}

/** Did it give up waiting for another one that writes the same idempotency key? */
export function isKeyHeld(error: unknown): boolean {
  const { where } = error as { where?: unknown }
  return isLockTimeout(error) && typeof where === 'string' && where.includes('idempotency_keys')
}
