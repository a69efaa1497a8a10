import type { Executor } from '../database/pool.ts'
import { newUuid } from '../ids.ts'
import type { ConversationDeps } from './conversation.ts'
import { promisesOfStatus } from './promises.ts'

/** How many tickets are closed at a time. */
export const CLOSED_AT_ONCE = 500

/**
 * Closes tickets that have been solved for so long, each with an audit entry and, where the desk keeps its own
 * record, a delivery that tells it. Several processes may do it at once: each ticket is closed by one.
 * @param after milliseconds
 * @returns how many there were, of at most {@link CLOSED_AT_ONCE}
 */
export async function closeSolved(sql: Executor, deps: ConversationDeps, after: number): Promise<number> {
  const told = JSON.stringify(
    [...deps.brands.values()]
      .filter(({ desk }) => promisesOfStatus(desk, 'closed', 'system').length > 0)
      .map(({ id }) => ({ brand_id: id, connector: deps.connectorOf(id).name })),
  )
  const ids = JSON.stringify(
    Array.from({ length: CLOSED_AT_ONCE }, (_, index) => ({
      place: index + 1,
      audit_id: newUuid(),
      delivery_id: newUuid(),
    })),
  )
  const rows = await sql`
    WITH due AS (
      SELECT brand_id, id FROM tickets
      WHERE status = 'solved' AND solved_at <= now() - make_interval(secs => ${after / 1000})
      ORDER BY solved_at LIMIT ${CLOSED_AT_ONCE}
      FOR UPDATE SKIP LOCKED
    ),
    closed AS (
      UPDATE tickets t SET status = 'closed',
        updated_at = greatest(clock_timestamp(), t.updated_at + interval '1 microsecond')
      FROM due WHERE t.brand_id = due.brand_id AND t.id = due.id
      RETURNING t.brand_id, t.id
    ),
    numbered AS (
      SELECT c.brand_id, c.id, ids.audit_id, ids.delivery_id
      FROM (SELECT *, row_number() OVER () AS place FROM closed) c
      JOIN json_to_recordset(${ids}::text::json) AS ids(place bigint, audit_id uuid, delivery_id uuid) USING (place)
    ),
    delivery AS (
      INSERT INTO deliveries (brand_id, id, message_id, side, kind, status, connector, state)
      SELECT n.brand_id, n.delivery_id, m.id, 'desk', 'status', 'closed', told.connector, 'pending'
      FROM numbered n
      JOIN json_to_recordset(${told}::text::json) AS told(brand_id text, connector text) USING (brand_id)
      CROSS JOIN LATERAL (
        SELECT id FROM messages WHERE brand_id = n.brand_id AND ticket_id = n.id ORDER BY created_at, id LIMIT 1
      ) m
    )
    INSERT INTO audit_entries (brand_id, id, actor, action, ticket_id, status)
    SELECT brand_id, audit_id, 'system', 'ticket.status', id, 'closed' FROM numbered
    RETURNING id`
  return rows.length
}
