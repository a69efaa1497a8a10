import type { Executor } from '../database/pool.ts'

/** Bytes of all blobs, the same bytes counted once. */
export async function sumBlobs(sql: Executor): Promise<number> {
  const [row] = await sql<{ bytes: number }[]>`SELECT coalesce(sum(size), 0)::float8 AS bytes FROM blobs`
  return row?.bytes ?? 0
}

/** Which installation this database is of. */
export async function readInstallation(sql: Executor): Promise<string> {
  const [row] = await sql<{ id: string }[]>`SELECT id FROM installation`
  if (row === undefined) throw new Error('the database does not say which installation it is of')
  return row.id
}

/** Whether there is an attachment, or a mail as it came, whose bytes are a blob. */
export async function namesBlobs(sql: Executor): Promise<boolean> {
  const rows = await sql`
    (SELECT FROM attachments LIMIT 1) UNION ALL (SELECT FROM inbound_mails WHERE sha256 IS NOT NULL LIMIT 1)`
  return rows.length > 0
}

/**
 * Forgets those of these blobs that neither an attachment nor a mail refers to.
 * @param names SHA-256 in hexadecimal
 * @returns those that something refers to
 */
export async function forgetUnreferred(sql: Executor, names: string[]): Promise<Set<string>> {
  const asked = JSON.stringify(names)
  const rows = await sql<{ name: string }[]>`
    WITH asked AS (
      SELECT name, decode(name, 'hex') AS sha256 FROM json_array_elements_text(${asked}::text::json) AS a(name)
    ),
    referred AS (
      SELECT name, sha256 FROM asked
      WHERE EXISTS (SELECT FROM attachments WHERE attachments.sha256 = asked.sha256)
        OR EXISTS (SELECT FROM inbound_mails WHERE inbound_mails.sha256 = asked.sha256)
    ),
    forgotten AS (
      DELETE FROM blobs USING asked
      WHERE blobs.sha256 = asked.sha256 AND NOT EXISTS (SELECT FROM referred WHERE referred.sha256 = asked.sha256)
    )
    SELECT name FROM referred`
  return new Set(rows.map((row) => row.name))
}
