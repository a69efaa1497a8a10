import type { Executor } from '../database/pool.ts'
import { quoted } from './copy-text.ts'

/**
 * Deliveries that were being carried when the backup was made: perhaps the desk has the message. Their attempt
 * is written down as `uncertain`, and they are due now.
 * @returns how many there were
 */
export async function giveBackLeased(sql: Executor): Promise<number> {
  const rows = await sql`
    WITH leased AS (
      SELECT brand_id, id, attempts, locked_by FROM deliveries WHERE state = 'leased'
    ),
    attempt AS (
      INSERT INTO attempts (brand_id, delivery_id, number, outcome, code, locked_by)
      SELECT brand_id, id, attempts, 'uncertain', 'restored', locked_by FROM leased
    )
    UPDATE deliveries d SET state = 'pending', locked_by = NULL, due_at = now()
    FROM leased l WHERE d.brand_id = l.brand_id AND d.id = l.id`
  return rows.count
}

/**
 * Mails that were being settled when the backup was made: they are in no ticket yet, and are settled now. The
 * attempt that was broken off is not counted, since nothing went wrong with the mail.
 */
export async function giveBackMails(sql: Executor): Promise<void> {
  await sql`
    UPDATE inbound_mails SET locked_by = NULL, due_at = now(), attempts = greatest(attempts - 1, 0)
    WHERE locked_by IS NOT NULL`
}

/** Mailboxes that were being read when the backup was made: whoever comes first reads them on. */
export async function giveBackMailboxes(sql: Executor): Promise<void> {
  await sql`UPDATE imap_cursors SET locked_by = NULL, lease_until = now() WHERE locked_by IS NOT NULL`
}

/** Deliveries that wait are tried for another day at least, however old the archive is. */
export async function giveTime(sql: Executor): Promise<void> {
  await sql`
    UPDATE deliveries SET give_up_at = now() + interval '1 day'
    WHERE state = 'pending' AND give_up_at < now() + interval '1 day'`
}

/** What the planner knows of these tables. */
export async function analyze(sql: Executor, tables: string[]): Promise<void> {
  await sql.unsafe(`ANALYZE ${tables.map(quoted).join(', ')}`)
}

export async function countRowsOf(sql: Executor, table: string): Promise<number> {
  const [row] = await sql.unsafe<{ count: number }[]>(
    `SELECT count(*)::float8 AS count FROM ${quoted(table)}`,
  )
  return row?.count ?? 0
}

/** Takes out the rows that the migrations put into tables which come from the archive. */
export async function emptyTables(sql: Executor, tables: string[]): Promise<void> {
  for (const table of tables) {
    // Only where there are any: some tables refuse to be deleted from.
    if ((await countRowsOf(sql, table)) > 0) await sql.unsafe(`DELETE FROM ${quoted(table)}`)
  }
}

/** How many deliveries are left to be carried. */
export async function countUndelivered(sql: Executor): Promise<number> {
  const [row] = await sql<{ count: number }[]>`
    SELECT count(*)::float8 AS count FROM deliveries WHERE state IN ('pending', 'leased')`
  return row?.count ?? 0
}
