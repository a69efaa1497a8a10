import type { DeliveryKind, Outcome, Side, Speaker, TicketStatus } from '../connectors/connector.ts'
import type { Executor } from '../database/pool.ts'
import { newUuid } from '../ids.ts'
import { isOnHold } from './hold.ts'
import { threadOf } from './thread.store.ts'

export type DeliveryState = 'pending' | 'leased' | 'delivered' | 'rejected' | 'dead'

/** Seconds that a lease lasts unless it is renewed. */
export const LEASE = 30

/** How many deliveries of an outlet to claim, and how it wants them. */
export type ClaimRequest = {
  brandId: string
  side: Side
  limit: number
  connector: string
  /** The domain of the Message-ID, where what leaves is a mail. */
  mailDomain: string | null
}

export type ClaimedDelivery = {
  brandId: string
  deliveryId: string
  /** The number of the attempt that the claim begins. */
  attempt: number
  /** How many attempts there were when an operator last had it tried again. */
  retriedAfter: number
  side: Side
  kind: DeliveryKind
  recipient: string | null
  /** The recipient has refused mail for good since. */
  bounced: boolean
  /** Of a customer's mail: the recipient is a participant of the ticket. */
  participates: boolean
  mailMessageId: string | null
  /** Message-IDs of the mails before, the oldest first. */
  thread: string[]
  ticketId: string
  messageId: string
  first: boolean
  personId: string | null
  requesterEmail: string
  requesterName: string | null
  unverified: boolean
  speakerKind: Speaker['kind']
  speakerName: string | null
  subject: string
  body: string
  html: string | null
  status: TicketStatus | null
  ticketStatus: TicketStatus
  createdAt: Date
  attachments: ClaimedAttachment[]
}

export type ClaimedAttachment = {
  id: string
  filename: string
  declared_type: string | null
  detected_type: string | null
  sha256: string
  size: number
}

/**
 * Claims what is due, each outlet within its own bound so that one that is slow starves no other, and all within
 * `limit`, in the order of the requests; of each outlet the oldest first. A lease that ran out is taken over,
 * and the attempt whose process died is written down as `uncertain`: it may have been taken. While deliveries
 * are on hold nothing is.
 * @param underWay ids of deliveries that the holder itself attempts. Their leases may have run out while the
 *   database was away, and are the holder's to finish.
 */
export async function claimDeliveries(
  sql: Executor,
  holder: string,
  requests: ClaimRequest[],
  limit: number,
  underWay: string[],
): Promise<ClaimedDelivery[]> {
  const asked = JSON.stringify(
    requests.map((request) => ({
      brand_id: request.brandId,
      side: request.side,
      free: request.limit,
      connector: request.connector,
      mail_domain: request.mailDomain,
    })),
  )
  return sql<ClaimedDelivery[]>`
    WITH asked AS (
      SELECT * FROM json_to_recordset(${asked}::text::json)
        AS a(brand_id text, side text, free integer, connector text, mail_domain text)
      WHERE NOT ${isOnHold(sql)}
    ),
    due AS (
      SELECT d.*, asked.connector AS connector_now, asked.mail_domain
      FROM asked CROSS JOIN LATERAL (
        SELECT brand_id, id, message_id, state, attempts, locked_by FROM deliveries
        WHERE brand_id = asked.brand_id AND side = asked.side AND state IN ('pending', 'leased') AND due_at <= now()
          AND NOT ${isOneOf(sql, underWay)}
        ORDER BY due_at LIMIT asked.free
        FOR UPDATE SKIP LOCKED
      ) d
      LIMIT ${limit}
    ),
    lost AS (
      INSERT INTO attempts (brand_id, delivery_id, number, outcome, code, locked_by)
      SELECT brand_id, id, attempts, 'uncertain', 'lease_expired', locked_by FROM due WHERE state = 'leased'
    ),
    claimed AS (
      UPDATE deliveries d SET
        state = 'leased', locked_by = ${holder}, attempts = d.attempts + 1,
        due_at = now() + make_interval(secs => ${LEASE}),
        connector = due.connector_now,
        mail_message_id = coalesce(d.mail_message_id, CASE WHEN due.mail_domain IS NOT NULL THEN format('<%s@%s>',
          CASE WHEN d.side = 'desk' AND d.kind = 'message' THEN 'msg_' || replace(d.message_id::text, '-', '')
            ELSE 'dlv_' || replace(d.id::text, '-', '') END, due.mail_domain) END)
      FROM due WHERE d.brand_id = due.brand_id AND d.id = due.id
      RETURNING d.brand_id, d.id, d.message_id, d.attempts, d.retried_after, d.mail_message_id, d.side, d.kind,
        d.recipient, d.status, d.created_at
    )
    SELECT c.brand_id AS "brandId", c.id AS "deliveryId", c.attempts AS attempt,
      c.retried_after AS "retriedAfter", c.side, c.kind, c.recipient,
      c.side = 'customer' AND EXISTS (SELECT FROM bounced_addresses b
        WHERE b.brand_id = c.brand_id AND b.address = c.recipient) AS bounced,
      c.side = 'customer' AND EXISTS (SELECT FROM participants p
        WHERE p.brand_id = c.brand_id AND p.ticket_id = t.id AND p.address = c.recipient) AS participates,
      c.mail_message_id AS "mailMessageId", ${threadOf(sql)} AS thread, t.id AS "ticketId", m.id AS "messageId",
      m.id = (SELECT id FROM messages WHERE brand_id = t.brand_id AND ticket_id = t.id
        ORDER BY created_at, id LIMIT 1) AS first,
      t.person_id AS "personId", t.requester_email AS "requesterEmail", t.requester_name AS "requesterName",
      t.via = 'mail' AND NOT t.address_proven AS unverified,
      CASE m.author WHEN 'note' THEN 'agent' ELSE m.author END AS "speakerKind",
      CASE m.author WHEN 'customer' THEN t.requester_name ELSE m.author_name END AS "speakerName",
      CASE c.kind WHEN 'notice' THEN '' ELSE t.subject END AS subject,
      CASE c.kind WHEN 'notice' THEN '' ELSE m.body END AS body,
      CASE c.kind WHEN 'notice' THEN NULL ELSE m.html END AS html,
      c.status, t.status AS "ticketStatus",
      CASE c.kind WHEN 'status' THEN c.created_at ELSE m.created_at END AS "createdAt",
      (SELECT coalesce(json_agg(json_build_object(
          'id', a.id, 'filename', a.filename, 'declared_type', a.declared_type,
          'detected_type', a.detected_type, 'sha256', encode(a.sha256, 'hex'), 'size', b.size) ORDER BY a.id), '[]')
        FROM attachments a JOIN blobs b ON b.sha256 = a.sha256
        WHERE a.brand_id = c.brand_id AND a.message_id = c.message_id AND c.kind = 'message') AS attachments
    FROM claimed c
    JOIN messages m ON m.brand_id = c.brand_id AND m.id = c.message_id
    JOIN tickets t ON t.brand_id = m.brand_id AND t.id = m.ticket_id`
}

export type DeliveryKey = { brandId: string; deliveryId: string }

/** A lease: who holds which delivery, for which attempt. */
export type Lease = DeliveryKey & { attempt: number }

/** Renews leases that are still held. @returns the ids of those that are */
export async function renewLeases(sql: Executor, holder: string, leases: Lease[]): Promise<Set<string>> {
  const rows = await sql<{ id: string }[]>`
    UPDATE deliveries d SET due_at = now() + make_interval(secs => ${LEASE})
    FROM json_to_recordset(${leasesJson(leases)}::text::json) AS l(brand_id text, id uuid, attempt integer)
    WHERE d.brand_id = l.brand_id AND d.id = l.id
      AND d.state = 'leased' AND d.locked_by = ${holder} AND d.attempts = l.attempt
    RETURNING d.id`
  return new Set(rows.map((row) => row.id))
}

/** Gives leases back, so that another process need not wait for their end. */
export async function releaseLeases(sql: Executor, holder: string, leases: Lease[]): Promise<void> {
  await sql`
    UPDATE deliveries d SET due_at = now()
    FROM json_to_recordset(${leasesJson(leases)}::text::json) AS l(brand_id text, id uuid, attempt integer)
    WHERE d.brand_id = l.brand_id AND d.id = l.id
      AND d.state = 'leased' AND d.locked_by = ${holder} AND d.attempts = l.attempt`
}

function leasesJson(leases: Lease[]): string {
  return JSON.stringify(leases.map((l) => ({ brand_id: l.brandId, id: l.deliveryId, attempt: l.attempt })))
}

export type FinishedAttempt = Lease & {
  outcome: Outcome
  code: string
  answer: string | null
  durationMs: number
  /** The recipient's address takes no mail, and never will. */
  addressRefused?: boolean
  /** Where a failed attempt leaves the delivery while it may still be retried. */
  next: 'delivered' | 'rejected' | 'pending'
  /** Seconds until the next attempt, where there is one. */
  delay: number
}

/**
 * Writes down how an attempt ended, with the row of the attempt, and with an audit entry where the delivery ended:
 * where it is of a message that a customer sees, that is its receipt. To a customer's address that takes no mail
 * nothing more goes from now on. Only the holder of the lease can.
 * @returns the delivery's new state, or null where the lease was lost and nothing was written
 */
export async function finishAttempt(
  sql: Executor,
  holder: string,
  end: FinishedAttempt,
): Promise<DeliveryState | null> {
  const [row] = await sql<{ state: DeliveryState }[]>`
    WITH finished AS (
      UPDATE deliveries SET
        state = CASE WHEN ${end.next} = 'pending' AND now() >= give_up_at THEN 'dead' ELSE ${end.next} END,
        locked_by = NULL,
        due_at = now() + make_interval(secs => ${end.delay}),
        finished_at = CASE WHEN ${end.next} <> 'pending' OR now() >= give_up_at THEN now() END
      WHERE brand_id = ${end.brandId} AND id = ${end.deliveryId}
        AND state = 'leased' AND locked_by = ${holder} AND attempts = ${end.attempt}
      RETURNING brand_id, id, message_id, side, kind, recipient, state
    ),
    attempt AS (
      INSERT INTO attempts (brand_id, delivery_id, number, outcome, code, locked_by, duration_ms)
      SELECT brand_id, id, ${end.attempt}, ${end.outcome}, ${end.code}, ${holder}, ${end.durationMs} FROM finished
    ),
    answer AS (
      INSERT INTO attempt_answers (brand_id, delivery_id, number, answer)
      SELECT brand_id, id, ${end.attempt}, ${end.answer} FROM finished WHERE ${end.answer !== null}
    ),
    silenced AS (
      INSERT INTO bounced_addresses (brand_id, address, code, delivery_id)
      SELECT brand_id, recipient, ${end.code}, id FROM finished WHERE side = 'customer' AND ${end.addressRefused === true}
      ON CONFLICT (brand_id, address) DO NOTHING
    ),
    audit AS (
      INSERT INTO audit_entries (brand_id, id, actor, action, ticket_id, message_id, delivery_id)
      SELECT f.brand_id, ${newUuid()}, 'system', 'delivery.' || f.state, m.ticket_id, m.id, f.id
      FROM finished f JOIN messages m ON m.brand_id = f.brand_id AND m.id = f.message_id
      WHERE f.state IN ('rejected', 'dead') OR f.state = 'delivered' AND f.kind NOT IN ('status', 'returned')
    )
    SELECT state FROM finished`
  return row?.state ?? null
}

/** Whether a row's id is one of these, as a condition. */
export function isOneOf(sql: Executor, ids: string[]) {
  return sql`(id IN (SELECT json_array_elements_text(${JSON.stringify(ids)}::text::json)::uuid))`
}
