import type { Outcome } from '../connectors/connector.ts'
import type { Executor } from '../database/pool.ts'
import { newUuid } from '../ids.ts'

export type DeliveryState = 'pending' | 'leased' | 'delivered' | 'rejected' | 'dead'

/** Seconds that a lease lasts unless it is renewed. */
export const LEASE = 30

/** How many deliveries of a brand to claim, and how its desk wants them. */
export type ClaimRequest = {
  brandId: string
  limit: number
  connector: string
  /** The domain of the Message-ID, where the desk is a mailbox. */
  mailDomain: string | null
}

export type ClaimedDelivery = {
  brandId: string
  deliveryId: string
  /** The number of the attempt that the claim begins. */
  attempt: number
  /** How many attempts there were when an operator last had it tried again. */
  retriedAfter: number
  mailMessageId: string | null
  ticketId: string
  messageId: string
  personId: string
  requesterEmail: string
  requesterName: string | null
  subject: string
  body: string
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
 * Claims what is due, each brand within its own bound so that one slow desk starves no other, and all within
 * `limit`, in the order of the requests; of each brand the oldest first. A lease that ran out is taken over,
 * and the attempt whose process died is written down as `uncertain`: it may have been taken.
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
      free: request.limit,
      connector: request.connector,
      mail_domain: request.mailDomain,
    })),
  )
  return sql<ClaimedDelivery[]>`
    WITH asked AS (
      SELECT * FROM json_to_recordset(${asked}::text::json)
        AS a(brand_id text, free integer, connector text, mail_domain text)
    ),
    due AS (
      SELECT d.*, asked.connector AS connector_now, asked.mail_domain
      FROM asked CROSS JOIN LATERAL (
        SELECT brand_id, id, message_id, state, attempts, locked_by FROM deliveries
        WHERE brand_id = asked.brand_id AND state IN ('pending', 'leased') AND due_at <= now()
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
        mail_message_id = coalesce(d.mail_message_id, CASE WHEN due.mail_domain IS NOT NULL
          THEN format('<msg_%s@%s>', replace(d.message_id::text, '-', ''), due.mail_domain) END)
      FROM due WHERE d.brand_id = due.brand_id AND d.id = due.id
      RETURNING d.brand_id, d.id, d.message_id, d.attempts, d.retried_after, d.mail_message_id
    )
    SELECT c.brand_id AS "brandId", c.id AS "deliveryId", c.attempts AS attempt,
      c.retried_after AS "retriedAfter", c.mail_message_id AS "mailMessageId", t.id AS "ticketId", m.id AS "messageId",
      t.person_id AS "personId", t.requester_email AS "requesterEmail", t.requester_name AS "requesterName",
      t.subject, m.body, m.created_at AS "createdAt",
      (SELECT coalesce(json_agg(json_build_object(
          'id', a.id, 'filename', a.filename, 'declared_type', a.declared_type,
          'detected_type', a.detected_type, 'sha256', encode(a.sha256, 'hex'), 'size', b.size) ORDER BY a.id), '[]')
        FROM attachments a JOIN blobs b ON b.sha256 = a.sha256
        WHERE a.brand_id = c.brand_id AND a.message_id = c.message_id) AS attachments
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
  /** Where a failed attempt leaves the delivery while it may still be retried. */
  next: 'delivered' | 'rejected' | 'pending'
  /** Seconds until the next attempt, where there is one. */
  delay: number
}

/**
 * Writes down how an attempt ended, with the row of the attempt. Only the holder of the lease can.
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
      RETURNING brand_id, id, message_id, state
    ),
    attempt AS (
      INSERT INTO attempts (brand_id, delivery_id, number, outcome, code, locked_by, duration_ms)
      SELECT brand_id, id, ${end.attempt}, ${end.outcome}, ${end.code}, ${holder}, ${end.durationMs} FROM finished
    ),
    answer AS (
      INSERT INTO attempt_answers (brand_id, delivery_id, number, answer)
      SELECT brand_id, id, ${end.attempt}, ${end.answer} FROM finished WHERE ${end.answer !== null}
    ),
    audit AS (
      INSERT INTO audit_entries (brand_id, id, actor, action, ticket_id, message_id, delivery_id)
      SELECT f.brand_id, ${newUuid()}, 'system', 'delivery.' || f.state, m.ticket_id, m.id, f.id
      FROM finished f JOIN messages m ON m.brand_id = f.brand_id AND m.id = f.message_id
      WHERE f.state IN ('rejected', 'dead')
    )
    SELECT state FROM finished`
  return row?.state ?? null
}

/** How many expired deliveries are buried at a time, and how many keys are swept. */
export const BURIED_AT_ONCE = 500
export const SWEPT_AT_ONCE = 10_000

/**
 * A delivery whose processes died on it for three days is dead too, though no attempt of it ever ended.
 * @param underWay ids of deliveries that are attempted here: those are not given up by anybody
 * @returns how many there were, of at most {@link BURIED_AT_ONCE}
 */
export async function buryExpired(sql: Executor, underWay: string[]): Promise<number> {
  const auditIds = JSON.stringify(Array.from({ length: BURIED_AT_ONCE }, newUuid))
  const rows = await sql`
    WITH expired AS (
      SELECT brand_id, id, locked_by FROM deliveries
      WHERE state = 'leased' AND due_at <= now() AND give_up_at <= now() AND NOT ${isOneOf(sql, underWay)}
      LIMIT ${BURIED_AT_ONCE}
      FOR UPDATE SKIP LOCKED
    ),
    buried AS (
      UPDATE deliveries d SET state = 'dead', locked_by = NULL, finished_at = now()
      FROM expired e WHERE d.brand_id = e.brand_id AND d.id = e.id
      RETURNING d.brand_id, d.id, d.message_id, d.attempts, e.locked_by
    ),
    attempt AS (
      INSERT INTO attempts (brand_id, delivery_id, number, outcome, code, locked_by)
      SELECT brand_id, id, attempts, 'uncertain', 'lease_expired', locked_by FROM buried
    )
    INSERT INTO audit_entries (brand_id, id, actor, action, ticket_id, message_id, delivery_id)
    SELECT b.brand_id, a.id::uuid, 'system', 'delivery.dead', m.ticket_id, m.id, b.id
    FROM (SELECT *, row_number() OVER () AS place FROM buried) b
    JOIN json_array_elements_text(${auditIds}::text::json) WITH ORDINALITY AS a(id, place) USING (place)
    JOIN messages m ON m.brand_id = b.brand_id AND m.id = b.message_id
    RETURNING id`
  return rows.length
}

/** Keys are held for 24 h. @returns how many were swept, of at most {@link SWEPT_AT_ONCE} */
export async function sweepKeys(sql: Executor): Promise<number> {
  const rows = await sql`
    DELETE FROM idempotency_keys WHERE (brand_id, digest) IN (
      SELECT brand_id, digest FROM idempotency_keys WHERE expires_at <= now()
      ORDER BY expires_at LIMIT ${SWEPT_AT_ONCE}
      FOR UPDATE SKIP LOCKED
    )`
  return rows.count
}

function isOneOf(sql: Executor, ids: string[]) {
  return sql`(id IN (SELECT json_array_elements_text(${JSON.stringify(ids)}::text::json)::uuid))`
}
