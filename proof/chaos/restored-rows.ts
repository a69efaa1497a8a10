import type { Sql } from '../../server/src/database/pool.ts'

/** What is written once, and does not change in a day: so a copy has it as the first one has it, however much later. */
const WRITTEN_ONCE = [
  'tickets',
  'messages',
  'blobs',
  'attachments',
  'attempts',
  'attempt_answers',
  'audit_entries',
  'idempotency_keys',
]

/**
 * How many rows a copy has in the tables whose rows do not change, and how many of those are not in the first
 * one to the last character. What the restore itself adds is left out.
 */
export async function missingRows(copy: Sql, first: Sql): Promise<{ rows: number; missing: number }> {
  let rows = 0
  let missing = 0
  for (const table of WRITTEN_ONCE) {
    const there = await digests(first, table)
    const copied = await digests(copy, table)
    rows += copied.size
    for (const digest of copied) if (!there.has(digest)) missing++
  }
  return { rows, missing }
}

/** Without the number of the transaction that wrote a row, which is each cluster's own. */
async function digests(sql: Sql, table: string): Promise<Set<string>> {
  const rows = await sql<{ digest: string }[]>`
    SELECT md5((to_jsonb(t) - 'xid')::text) AS digest FROM ${sql(table)} t
    WHERE to_jsonb(t) ->> 'code' IS DISTINCT FROM 'restored'`
  return new Set(rows.map(({ digest }) => digest))
}

/**
 * How many deliveries of a copy, of which nothing was carried yet, are not as they were at some moment in the
 * first one, which has gone on since: what has ended stays as it ended, and what has not is the same promise,
 * with no more attempts, and leased to nobody.
 */
export async function changedDeliveries(
  copy: Sql,
  first: Sql,
): Promise<{ undelivered: number; changed: number }> {
  const [there, copied] = [await deliveries(first), await deliveries(copy)]
  let [undelivered, changed] = [0, 0]
  for (const [id, one] of copied) {
    const other = there.get(id)
    const isEnded = one.state !== 'pending' && one.state !== 'leased'
    if (!isEnded) undelivered++
    const isSame = isEnded
      ? one.digest === other?.digest
      : one.state === 'pending' && one.promise === other?.promise && one.attempts <= other.attempts
    if (!isSame) changed++
  }
  return { undelivered, changed }
}

type DeliveryRow = { id: string; state: string; attempts: number; promise: string; digest: string }

async function deliveries(sql: Sql): Promise<Map<string, DeliveryRow>> {
  const rows = await sql<DeliveryRow[]>`
    SELECT brand_id || ' ' || id AS id, state, attempts, md5(d::text) AS digest,
      concat_ws(' ', message_id, connector, mail_message_id) AS promise
    FROM deliveries d`
  return new Map(rows.map((row) => [row.id, row]))
}
