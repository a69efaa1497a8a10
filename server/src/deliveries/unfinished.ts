import type { Executor } from '../database/pool.ts'

/**
 * Where a walk through the unfinished deliveries is, in the order of the index of just them, so that however many
 * there are, each statement has its bound. The time is text, since a Date has no microseconds.
 */
export type Place = { createdAt: string; id: string }

/** Before all of them. */
export const FIRST: Place = { createdAt: '-infinity', id: '00000000-0000-0000-0000-000000000000' }

/** Pending or leased, and behind `from` in the order of `created_at, id`: a condition. */
export function isUnfinishedBeyond(sql: Executor, from: Place) {
  return sql`state IN ('pending', 'leased')
    AND (created_at, id) > (${from.createdAt}::text::timestamptz, ${from.id}::text::uuid)`
}
