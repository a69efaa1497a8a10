import type { Executor } from '../database/pool.ts'
import type { IdPrefix } from '../ids.ts'

/** An id as people read it, from a column of UUIDs: `tkt_0199…`. */
export function idOf(sql: Executor, prefix: IdPrefix, column: string) {
  return sql`${`${prefix}_`}::text || replace(${sql(column)}::text, '-', '')`
}
