import { setTimeout as pause } from 'node:timers/promises'
import type { Executor } from '../database/pool.ts'
import { FIRST, isUnfinishedBeyond, type Place } from './unfinished.ts'

/**
 * From the COMMIT on no delivery is leased to whoever looks after it, until {@link releaseDeliveries}; for those
 * who looked before see {@link leasersAreThrough}. What is on hold already stays so, since when it was.
 * @param transaction its COMMIT is the hold
 * @returns since when they were on hold before; null where they were not
 */
export async function holdDeliveries(transaction: Executor): Promise<Date | null> {
  const before = await lockHold(transaction)
  if (before === null) await transaction`UPDATE installation SET held_since = now()`
  return before
}

/** Milliseconds between looks whether those who lease are through. */
const LOOK_MS = 50

/**
 * Waits for those who looked before the hold's COMMIT and may still lease. Whoever leases has the table's lock from
 * before their snapshot to their COMMIT, so they are among those that have it now. Nobody waits for this one.
 * @param patience milliseconds
 * @returns whether all are through: then the hold is exact
 */
export async function leasersAreThrough(sql: Executor, patience: number): Promise<boolean> {
  const deadline = performance.now() + patience
  for (let left = await leasers(sql, null); left.length > 0; left = await leasers(sql, left)) {
    if (performance.now() > deadline) return false
    await pause(LOOK_MS)
  }
  return true
}

/** The transactions that write deliveries at the moment. @param among those alone; null: all */
async function leasers(sql: Executor, among: string[] | null): Promise<string[]> {
  const rows = await sql<{ id: string }[]>`
    SELECT virtualtransaction AS id FROM pg_locks
    WHERE relation = 'deliveries'::regclass AND mode = 'RowExclusiveLock' AND granted
      AND database = (SELECT oid FROM pg_database WHERE datname = current_database())`
  return rows.map(({ id }) => id).filter((id) => among === null || among.includes(id))
}

/** The least that a delivery has left to be tried when a hold ends. */
const LEFT = '1 day'

/** How many deliveries are given time by one statement. */
const AT_ONCE = 2000

/**
 * Deliveries are carried again. Time on hold is not held against them: none is given up within a day of it.
 * @returns since when they were on hold; null where they were not
 */
export async function releaseDeliveries(transaction: Executor): Promise<Date | null> {
  const since = await lockHold(transaction)
  if (since === null) return null
  for (let from: Place | null = FIRST; from !== null; ) from = await giveTime(transaction, from)
  // What is leased comes last, since an attempt that is under way must wait meanwhile to be written down.
  await transaction`
    UPDATE deliveries SET give_up_at = now() + ${LEFT}::text::interval
    WHERE state IN ('pending', 'leased') AND give_up_at < now() + ${LEFT}::text::interval`
  await transaction`UPDATE installation SET held_since = NULL`
  return since
}

/** A batch of what waits. @returns where the next begins; null where none is left */
async function giveTime(transaction: Executor, from: Place): Promise<Place | null> {
  const [last] = await transaction<Place[]>`
    WITH looked AS (
      SELECT brand_id, id, created_at FROM deliveries
      WHERE state = 'pending' AND ${isUnfinishedBeyond(transaction, from)} ORDER BY created_at, id LIMIT ${AT_ONCE}
    ),
    given AS (
      UPDATE deliveries d SET give_up_at = now() + ${LEFT}::text::interval
      FROM looked WHERE d.brand_id = looked.brand_id AND d.id = looked.id
        AND d.give_up_at < now() + ${LEFT}::text::interval
    )
    SELECT created_at::text AS "createdAt", id FROM looked ORDER BY looked.created_at DESC, looked.id DESC LIMIT 1`
  return last ?? null
}

/** Their order is that of locking, too: of a hold and a release at once the second sees what the first has done. */
async function lockHold(transaction: Executor): Promise<Date | null> {
  const [row] = await transaction<{ heldSince: Date | null }[]>`
    SELECT held_since AS "heldSince" FROM installation FOR UPDATE`
  return row?.heldSince ?? null
}

/** Since when deliveries are on hold; null where they are not. */
export async function heldSince(sql: Executor): Promise<Date | null> {
  const [row] = await sql<{ heldSince: Date | null }[]>`SELECT held_since AS "heldSince" FROM installation`
  return row?.heldSince ?? null
}

/** Whether nothing may be leased, as a condition of the statement that would. Asked once for a statement. */
export function isOnHold(sql: Executor) {
  return sql`EXISTS (SELECT FROM installation WHERE held_since IS NOT NULL)`
}
