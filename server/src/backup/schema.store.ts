import type { Executor } from '../database/pool.ts'
import type { TableHead } from './archive.ts'
import { columnList, quoted } from './copy-text.ts'

/**
 * What the schema holds is asked of the migrations (own-objects.ts) and of the catalog, so that a table or a
 * column that a later migration adds is in the next backup without a line here. None of them has a sequence.
 * `schema_migrations` is not: its version is in the archive's head, and a restore migrates.
 */

/** Which of these tables there are in this schema, in alphabetical order. */
export async function listTables(sql: Executor, own: string[]): Promise<string[]> {
  const rows = await sql<{ name: string }[]>`
    SELECT relname AS name FROM pg_class
    WHERE relnamespace = current_schema()::regnamespace AND relkind IN ('r', 'p')
      AND relname IN (SELECT json_array_elements_text(${JSON.stringify(own)}::text::json))
    ORDER BY relname`
  return rows.map(({ name }) => name)
}

/**
 * The tables with their columns, each after those that it refers to. A transaction's number (xid8) means something
 * in one cluster alone, and is left out: the default gives each row the number of the restore.
 */
export async function describeTables(sql: Executor, own: string[]): Promise<TableHead[]> {
  const names = await listTables(sql, own)
  const columns = await sql<{ table: string; column: string }[]>`
    SELECT c.relname AS table, a.attname AS column FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid
    WHERE c.relnamespace = current_schema()::regnamespace AND a.attnum > 0 AND NOT a.attisdropped
      AND a.attgenerated = '' AND a.atttypid <> 'xid8'::regtype
    ORDER BY c.relname, a.attnum`
  const blobs = await blobReferences(sql)
  const tables = names.map((name) => ({
    name,
    columns: columns.filter(({ table }) => table === name).map(({ column }) => column),
    blob_column: name === 'blobs' ? 'sha256' : (blobs.find(({ table }) => table === name)?.column ?? null),
  }))
  return inOrder(tables, await references(sql))
}

/** Which columns name a blob. */
async function blobReferences(sql: Executor): Promise<{ table: string; column: string }[]> {
  return sql<{ table: string; column: string }[]>`
    SELECT c.relname AS table, a.attname AS column
    FROM pg_constraint f JOIN pg_class c ON c.oid = f.conrelid
    JOIN pg_attribute a ON a.attrelid = f.conrelid AND a.attnum = f.conkey[1]
    WHERE f.contype = 'f' AND f.confrelid = 'blobs'::regclass`
}

async function references(sql: Executor): Promise<{ table: string; to: string }[]> {
  return sql<{ table: string; to: string }[]>`
    SELECT c.relname AS table, t.relname AS to
    FROM pg_constraint f JOIN pg_class c ON c.oid = f.conrelid JOIN pg_class t ON t.oid = f.confrelid
    WHERE f.contype = 'f' AND c.relnamespace = current_schema()::regnamespace AND f.conrelid <> f.confrelid`
}

function inOrder(tables: TableHead[], references: { table: string; to: string }[]): TableHead[] {
  const ordered: TableHead[] = []
  let left = tables
  while (left.length > 0) {
    const waits = (name: string) =>
      references.some(({ table, to }) => table === name && left.some((other) => other.name === to))
    const free = left.filter(({ name }) => !waits(name))
    if (free.length === 0) throw new Error('tables refer to each other in a circle')
    ordered.push(...free)
    left = left.filter(({ name }) => waits(name))
  }
  return ordered
}

/**
 * A statement that gives a table's rows. Of the blobs only those that a row refers to, in the order of their
 * names: the others wait for the sweep.
 */
export function copyOut(table: TableHead, tables: TableHead[]): string {
  const rows = `SELECT ${columnList(table.columns)} FROM ${quoted(table.name)}`
  if (table.name !== 'blobs') return `COPY (${rows}) TO STDOUT`
  const referred = tables.flatMap(({ name, blob_column: column }) =>
    name === 'blobs' || column === null
      ? []
      : [`EXISTS (SELECT FROM ${quoted(name)} r WHERE r.${quoted(column)} = blobs.sha256)`],
  )
  return `COPY (${rows} WHERE ${referred.join(' OR ') || 'false'} ORDER BY sha256) TO STDOUT`
}

export function copyIn(table: TableHead): string {
  return `COPY ${quoted(table.name)} (${columnList(table.columns)}) FROM STDIN`
}

/** What the planner thinks there is: good enough for a progress bar. Bytes are those of the blobs. */
export async function estimate(
  sql: Executor,
  tables: string[],
): Promise<{ rows: number; blobBytes: number }> {
  const [row] = await sql<{ rows: number; bytes: number }[]>`
    SELECT coalesce(sum(greatest(c.reltuples, 0)), 0)::float8 AS rows,
      (SELECT coalesce(sum(size), 0)::float8 FROM blobs) AS bytes
    FROM pg_class c
    WHERE c.relnamespace = current_schema()::regnamespace
      AND c.relname IN (SELECT json_array_elements_text(${JSON.stringify(tables)}::text::json))`
  return { rows: row?.rows ?? 0, blobBytes: row?.bytes ?? 0 }
}

/** A backup waits for whoever reads the tape, a restore for whoever writes it: the server must let it. */
export async function letItTake(sql: Executor): Promise<void> {
  await sql`
    SELECT set_config(name, '0', true) FROM pg_settings
    WHERE name IN ('idle_in_transaction_session_timeout', 'transaction_timeout', 'statement_timeout')`
}
