import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { OperatorError } from '../errors.ts'
import { isDatabaseAway } from './database-error.ts'
import type { DatabaseEndpoint } from './endpoint.ts'
import { type Executor, openDatabase, type Sql } from './pool.ts'

/** "bellhop" in ASCII: the advisory lock of whoever migrates. */
const MIGRATION_LOCK = '27696064067301232'

/** The oldest PostgreSQL that Bellhop runs on. */
const OLDEST_SERVER = 15

export type Migration = { version: number; name: string; path: string }

export type MigrateOptions = {
  /** Milliseconds that the server gives one statement of a migration; 15,000 unless told. */
  statementTimeout?: number
  /** Milliseconds to wait for another process that is migrating; 60,000 unless told. */
  patience?: number
}

/**
 * Brings a database to the newest version in `folder`: numbered `.sql` files, forward only, each in one
 * transaction with its row in `schema_migrations`. Of several processes at once, one migrates and the others
 * wait for it.
 * @throws OperatorError where the database is newer than the program, too old a server, not UTF-8, or does
 *   not let this role create tables
 */
export async function migrate(
  endpoint: DatabaseEndpoint,
  folder: string,
  options: MigrateOptions = {},
): Promise<{ applied: string[]; version: number }> {
  const migrations = await readMigrations(folder)
  const database = openDatabase(endpoint, {
    max: 1,
    applicationName: 'bellhop migrate',
    statementTimeout: options.statementTimeout ?? 15_000,
  })
  try {
    await checkServer(database.sql)
    await waitForLock(database.sql, options.patience ?? 60_000)
    const from = await schemaVersion(database.sql)
    refuseNewer(from, newest(migrations))
    const applied: string[] = []
    for (const migration of migrations.filter(({ version }) => version > from)) {
      await apply(database.sql, migration)
      applied.push(migration.name)
    }
    return { applied, version: newest(migrations) }
  } finally {
    // Ends the session, and the lock with it.
    await database.close()
  }
}

/** The version that a database is at; 0 where it holds nothing of Bellhop's yet. */
export async function schemaVersion(sql: Executor): Promise<number> {
  const [table] = await sql<
    { exists: boolean }[]
  >`select to_regclass('schema_migrations') is not null as exists`
  if (table?.exists !== true) return 0
  const [row] = await sql<{ version: number | null }[]>`select max(version) as version from schema_migrations`
  return row?.version ?? 0
}

/**
 * For the commands that do not migrate.
 * @throws OperatorError where the database is not at the version that the program was made for
 */
export async function checkSchema(sql: Executor, folder: string): Promise<number> {
  const expected = newest(await readMigrations(folder))
  const version = await schemaVersion(sql)
  refuseNewer(version, expected)
  if (version < expected) {
    throw new OperatorError(
      `The database is at version ${version} and this program needs ${expected}: run bellhop migrate`,
    )
  }
  return version
}

/**
 * The migrations in a folder, in order.
 * @throws Error where the numbers do not run from 1 without a gap: a mistake of the program's own
 */
export async function readMigrations(folder: string): Promise<Migration[]> {
  const files = (await readdir(folder)).filter((file) => file.endsWith('.sql')).sort()
  return files.map((file, index) => {
    const number = /^(\d{4})-[a-z0-9-]+\.sql$/.exec(file)?.[1]
    if (number === undefined) throw new Error(`${file}: expected a name like 0001-name.sql`)
    if (Number(number) !== index + 1) {
      throw new Error(
        `${file}: expected number ${String(index + 1).padStart(4, '0')}; none may be missing or double`,
      )
    }
    return { version: index + 1, name: file.slice(0, -'.sql'.length), path: join(folder, file) }
  })
}

function newest(migrations: Migration[]): number {
  return migrations.at(-1)?.version ?? 0
}

function refuseNewer(version: number, known: number): void {
  if (version <= known) return
  throw new OperatorError(
    `The database is at version ${version} and this program knows versions up to ${known}: ` +
      'run the Bellhop that made it, or a newer one',
  )
}

async function checkServer(sql: Sql): Promise<void> {
  const [server] = await sql<{ number: number; encoding: string }[]>`
    select current_setting('server_version_num')::int as number, current_setting('server_encoding') as encoding`
  if (server === undefined) throw new Error('The server gave no version')
  const major = Math.floor(server.number / 10_000)
  if (major < OLDEST_SERVER) {
    throw new OperatorError(
      `DATABASE_URL: expected PostgreSQL ${OLDEST_SERVER} or later, the server is ${major}`,
    )
  }
  if (server.encoding !== 'UTF8') {
    throw new OperatorError('DATABASE_URL: expected a database whose encoding is UTF8')
  }
}

/** Asks again and again rather than waiting inside the server, where `lock_timeout` would end it. */
async function waitForLock(sql: Sql, patience: number): Promise<void> {
  const deadline = performance.now() + patience
  for (;;) {
    const [lock] = await sql<{ taken: boolean }[]>`
      select pg_try_advisory_lock(${MIGRATION_LOCK}::bigint) as taken`
    if (lock?.taken === true) return
    if (performance.now() > deadline) {
      throw new OperatorError('Another process is migrating this database and has not ended in time')
    }
    await pause(200)
  }
}

async function apply(sql: Sql, migration: Migration): Promise<void> {
  const text = await readFile(migration.path, 'utf8')
  try {
    await sql.begin(async (transaction) => {
      await transaction`
        create table if not exists schema_migrations (
          version integer primary key,
          name text not null,
          applied_at timestamptz not null default now()
        )`
      // First, so that the primary key decides even where the lock was lost with its connection.
      await transaction`
        insert into schema_migrations (version, name) values (${migration.version}, ${migration.name})`
      await transaction.unsafe(text)
    })
  } catch (error) {
    if (isDatabaseAway(error)) throw error
    if (isForbidden(error)) {
      throw new OperatorError(
        'The database role may not create tables: grant it CREATE on its schema, or make it the owner',
      )
    }
    throw new Error(`Migration ${migration.name} failed`, { cause: error })
  }
}

/** SQLSTATE 42501, insufficient_privilege. */
function isForbidden(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === '42501'
}
