import type { DeliveryKind, Side } from '../connectors/connector.ts'
import type { Executor } from '../database/pool.ts'
import { newUuid } from '../ids.ts'
import type { DeliveryState } from './delivery.store.ts'

/** What an operator sees of a delivery: ids, codes and times, and nothing that a customer wrote. */
export type DeliveryLine = {
  deliveryId: string
  brandId: string
  ticketId: string
  messageId: string
  side: Side
  kind: DeliveryKind
  connector: string
  state: DeliveryState
  attempts: number
  createdAt: Date
  /** When it is tried next, or its lease ends; null where it is finished. */
  dueAt: Date | null
  finishedAt: Date | null
  /** How the last attempt ended; null where none has. */
  outcome: string | null
  code: string | null
}

export type DeliveryFilter = {
  states: DeliveryState[]
  brandId: string | null
  /** Only those created at least so many seconds ago. */
  minimumAge: number
  limit: number
}

/** Deliveries by state, brand and age, the oldest first. Of the delivered ones this reads the whole table. */
export async function listDeliveries(sql: Executor, filter: DeliveryFilter): Promise<DeliveryLine[]> {
  // Each arm is read in the order of its own index, and no further than the list is long.
  const arms = stateGroups(sql, filter.states).map(
    (inGroup) => sql`
      (SELECT * FROM deliveries d
        WHERE ${inGroup}
          AND (${filter.brandId}::text IS NULL OR d.brand_id = ${filter.brandId})
          AND d.created_at <= now() - make_interval(secs => ${filter.minimumAge})
        ORDER BY d.created_at, d.id LIMIT ${filter.limit})`,
  )
  const found = arms.reduce((all, arm) => sql`${all} UNION ALL ${arm}`)
  return sql<DeliveryLine[]>`
    ${selectLines(sql, sql`(SELECT * FROM (${found}) arms ORDER BY created_at, id LIMIT ${filter.limit})`)}
    ORDER BY d.created_at, d.id`
}

export type AttemptLine = {
  number: number
  outcome: string
  code: string
  durationMs: number | null
  endedAt: Date
  /** What the desk said. */
  answer: string | null
}

/** One delivery with its attempts, by its id alone. */
export async function showDelivery(
  sql: Executor,
  deliveryId: string,
): Promise<{ delivery: DeliveryLine; attempts: AttemptLine[] } | null> {
  // The key leads with the brand: the brands are hopped along its index, so that no table is read through.
  const [delivery] = await sql<DeliveryLine[]>`
    WITH RECURSIVE brand AS (
      (SELECT brand_id FROM deliveries ORDER BY brand_id LIMIT 1)
      UNION ALL
      SELECT (SELECT min(brand_id) FROM deliveries WHERE brand_id > brand.brand_id) FROM brand
      WHERE brand.brand_id IS NOT NULL
    )
    ${selectLines(sql)} WHERE d.id = ${deliveryId} AND d.brand_id IN (SELECT brand_id FROM brand)`
  if (delivery === undefined) return null
  const attempts = await sql<AttemptLine[]>`
    SELECT a.number, a.outcome, a.code, a.duration_ms AS "durationMs", a.ended_at AS "endedAt", w.answer
    FROM attempts a LEFT JOIN attempt_answers w USING (brand_id, delivery_id, number)
    WHERE a.brand_id = ${delivery.brandId} AND a.delivery_id = ${deliveryId}
    ORDER BY a.number`
  return { delivery, attempts }
}

/** @param deliveries the table, or some of its rows */
function selectLines(sql: Executor, deliveries = sql`deliveries`) {
  return sql`
    SELECT d.id AS "deliveryId", d.brand_id AS "brandId", m.ticket_id AS "ticketId", d.message_id AS "messageId",
      d.side, d.kind, d.connector, d.state, d.attempts, d.created_at AS "createdAt",
      CASE WHEN d.finished_at IS NULL THEN d.due_at END AS "dueAt", d.finished_at AS "finishedAt",
      last.outcome, last.code
    FROM ${deliveries} d
    JOIN messages m ON m.brand_id = d.brand_id AND m.id = d.message_id
    LEFT JOIN LATERAL (
      SELECT outcome, code FROM attempts a WHERE a.brand_id = d.brand_id AND a.delivery_id = d.id
      ORDER BY number DESC LIMIT 1
    ) last ON true`
}

/**
 * The states as the indexes of unfinished and of failed deliveries say them, word for word: the planner takes
 * an index of some rows only where the condition names no others.
 */
function stateGroups(sql: Executor, states: DeliveryState[]) {
  const wanted = sql`d.state IN ${sql(states)}`
  return [
    { of: ['pending', 'leased'], rows: sql`d.state IN ('pending', 'leased')` },
    { of: ['rejected', 'dead'], rows: sql`d.state IN ('rejected', 'dead')` },
    { of: ['delivered'], rows: sql`d.state = 'delivered'` },
  ]
    .filter((group) => states.some((state) => group.of.includes(state)))
    .map(({ rows }) => sql`(${rows} AND ${wanted})`)
}

/** How many deliveries one statement revives. */
const REVIVED_AT_ONCE = 10_000

/**
 * Has rejected and dead deliveries tried again, for another three days and with a back-off that begins anew,
 * with an audit entry each.
 * @param operator the operating system's user name
 * @param which ids, or all of a state and brand
 * @returns the ids of those that will be tried
 */
export async function retryDeliveries(
  sql: Executor,
  operator: string,
  which: { ids: string[] } | { states: DeliveryState[]; brandId: string | null },
): Promise<string[]> {
  const chosen =
    'ids' in which
      ? sql`d.id IN (SELECT json_array_elements_text(${JSON.stringify(which.ids)}::text::json)::uuid)`
      : sql`(${stateGroups(sql, which.states).reduce((any, one) => sql`${any} OR ${one}`)}) AND (${which.brandId}::text IS NULL OR d.brand_id = ${which.brandId})`
  const found = await sql<{ brand_id: string; id: string }[]>`
    SELECT brand_id, id FROM deliveries d WHERE ${chosen} AND d.state IN ('rejected', 'dead')`
  const revived: string[] = []
  for (let start = 0; start < found.length; start += REVIVED_AT_ONCE) {
    const some = found.slice(start, start + REVIVED_AT_ONCE)
    const asked = JSON.stringify(some.map((row) => ({ ...row, audit_id: newUuid() })))
    const rows = await sql<{ id: string }[]>`
      WITH asked AS (
        SELECT * FROM json_to_recordset(${asked}::text::json) AS a(brand_id text, id uuid, audit_id uuid)
      ),
      revived AS (
        UPDATE deliveries d SET
          state = 'pending', due_at = now(), give_up_at = now() + interval '3 days', finished_at = NULL,
          retried_after = d.attempts
        FROM asked a WHERE d.brand_id = a.brand_id AND d.id = a.id AND d.state IN ('rejected', 'dead')
        RETURNING d.brand_id, d.id, d.message_id, a.audit_id
      )
      INSERT INTO audit_entries (brand_id, id, actor, actor_id, action, ticket_id, message_id, delivery_id)
      SELECT r.brand_id, r.audit_id, 'operator', ${operator}, 'delivery.retried', m.ticket_id, m.id, r.id
      FROM revived r JOIN messages m ON m.brand_id = r.brand_id AND m.id = r.message_id
      RETURNING delivery_id AS id`
    revived.push(...rows.map((row) => row.id))
  }
  return revived
}

export type DeliveryCount = { brandId: string; side: Side; state: string; count: number; oldestAge: number }

/** Undelivered, rejected and dead deliveries by brand and side; each count is read from an index of just those. */
export async function countDeliveries(sql: Executor): Promise<DeliveryCount[]> {
  return sql<DeliveryCount[]>`
    SELECT brand_id AS "brandId", side, state, count(*)::float8 AS count,
      extract(epoch FROM now() - min(created_at))::float8 AS "oldestAge"
    FROM deliveries WHERE state IN ('pending', 'leased') GROUP BY brand_id, side, state
    UNION ALL
    SELECT brand_id, side, state, count(*)::float8, extract(epoch FROM now() - min(created_at))::float8
    FROM deliveries WHERE state IN ('rejected', 'dead') GROUP BY brand_id, side, state`
}
