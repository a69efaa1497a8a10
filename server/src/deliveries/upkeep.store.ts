import type { Executor } from '../database/pool.ts'
import { newUuid } from '../ids.ts'
import { isOneOf } from './delivery.store.ts'
import { isOnHold } from './hold.ts'

/** How many expired deliveries are buried at a time, and how many keys are swept. */
export const BURIED_AT_ONCE = 500
export const SWEPT_AT_ONCE = 10_000

/**
 * A delivery whose processes died on it for three days is dead too, though no attempt of it ever ended. Not while
 * deliveries are on hold: none could be taken over.
 * @param underWay ids of deliveries that are attempted here: those are not given up by anybody
 * @returns how many there were, of at most {@link BURIED_AT_ONCE}
 */
export async function buryExpired(sql: Executor, underWay: string[]): Promise<number> {
  const auditIds = JSON.stringify(Array.from({ length: BURIED_AT_ONCE }, newUuid))
  const rows = await sql`
    WITH expired AS (
      SELECT brand_id, id, locked_by FROM deliveries
      WHERE state = 'leased' AND due_at <= now() AND give_up_at <= now() AND NOT ${isOneOf(sql, underWay)}
        AND NOT ${isOnHold(sql)}
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
