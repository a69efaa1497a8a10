import type { Executor } from '../database/pool.ts'
import { LEASE } from './delivery.store.ts'
import { isUnfinishedBeyond, type Place } from './unfinished.ts'

/** How many deliveries one statement looks at. */
const AT_ONCE = 2000

/**
 * Sets right what a clock that was put back has made wait: a lease that would last longer than any, and a back-off
 * that was measured from a moment that is still to come. A lease that is held is renewed as ever; of one whose
 * process died the rest is a lease's time.
 * @param beyond seconds: what is due before is left as it is
 * @param from where the walk is
 * @returns how many there were, and where the walk goes on; null where it is over
 */
export async function pullNear(
  sql: Executor,
  beyond: number,
  from: Place,
): Promise<{ count: number; next: Place | null }> {
  const [row] = await sql<{ count: number; createdAt: string; id: string }[]>`
    WITH looked AS (
      SELECT brand_id, id, state, attempts, due_at, created_at FROM deliveries
      WHERE ${isUnfinishedBeyond(sql, from)} ORDER BY created_at, id LIMIT ${AT_ONCE}
    ),
    far AS (
      SELECT brand_id, id, state, coalesce(
        (SELECT ended_at FROM attempts a
          WHERE a.brand_id = l.brand_id AND a.delivery_id = l.id AND a.number = l.attempts),
        created_at) AS measured_from
      FROM looked l WHERE due_at > now() + make_interval(secs => ${beyond})
    ),
    pulled AS (
      UPDATE deliveries d SET due_at = now() + CASE d.state
        WHEN 'leased' THEN make_interval(secs => ${LEASE}) ELSE d.due_at - far.measured_from END
      FROM far WHERE d.brand_id = far.brand_id AND d.id = far.id AND d.state = far.state AND CASE d.state
        WHEN 'leased' THEN d.due_at > now() + make_interval(secs => ${Math.max(beyond, 2 * LEASE)})
        ELSE far.measured_from > now() + make_interval(secs => ${LEASE}) AND d.due_at >= far.measured_from END
      RETURNING d.id
    )
    SELECT (SELECT count(*)::int FROM pulled) AS count, created_at::text AS "createdAt", id
    FROM looked ORDER BY looked.created_at DESC, looked.id DESC LIMIT 1`
  if (row === undefined) return { count: 0, next: null }
  return { count: row.count, next: { createdAt: row.createdAt, id: row.id } }
}
