import { setTimeout as pause } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { OperatorError } from '../errors.ts'
import { isDatabaseAway } from './database-error.ts'
import type { DatabaseEndpoint } from './endpoint.ts'
import { type Migration, newest, readMigrations } from './migration-files.ts'
import { type Executor, openDatabase, type Sql } from './pool.ts'
import { whenFree } from './when-free.ts'

export { type Migration, newest, readMigrations } from './migration-files.ts'

/** The migrations that come with the program. */
export const MIGRATIONS = fileURLToPath(new URL('../../migrations', import.meta.url))

/** "bellhop" in ASCII: the advisory lock of whoever migrates. */
const MIGRATION_LOCK = '27696064067301232'

/**
 * Milliseconds that a migration in a transaction waits for a lock. It holds some tables while it waits for others, so
 * that it and whoever serves may wait for each other. PostgreSQL looks for that after a second (`deadlock_timeout`) and
 * ends who has waited so long: where a migration takes its locks first and works then, it has let go before, and tries
 * again later.
 */
const LOCK_TIMEOUT = 500

/**
 * Milliseconds for what runs outside a transaction, since nobody waits for it: a statement has a day, and ten
 * minutes for each lock or transaction that it waits for, such as that of a backup.
 */
const UNHURRIED = { statementTimeout: 24 * 3_600_000, lockTimeout: 10 * 60_000 }

/** The oldest PostgreSQL that Bellhop runs on. */
const OLDEST_SERVER = 15

export type MigrateOptions = {
  /** Milliseconds that the server gives one statement of a migration in a transaction; 15,000 unless told. */
  statementTimeout?: number
  /** Milliseconds to wait for another process that is migrating; 60,000 unless told. */
  patience?: number
  /** Milliseconds to wait for a table that another session holds; 30,000 unless told. */
  tablePatience?: number
}

/**
 * Brings a database to the newest version in `folder`: numbered `.sql` files, forward only, each in one
 * transaction with its row in `schema_migrations`. One that is `outside` runs statement by
 * statement, and gets its row when all of it is done. Of several processes at once, one migrates and the others
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
  const { patience = 60_000, tablePatience = 30_000 } = options
  const applied: string[] = []

  /** @returns the one that is next and cannot run in a transaction; undefined when all is done */
  async function inTransactions(sql: Sql): Promise<Migration | undefined> {
    await checkServer(sql)
    const from = await schemaVersion(sql)
    refuseNewer(from, newest(migrations))
    for (const migration of migrations.filter(({ version }) => version > from)) {
      if (migration.outside) return migration
      await whenFree(tablePatience, () => sql.begin((transaction) => apply(transaction, migration)))
      applied.push(migration.name)
    }
    return undefined
  }

  for (;;) {
    const hurried = { statementTimeout: options.statementTimeout ?? 15_000, lockTimeout: LOCK_TIMEOUT }
    const outside = await alone(endpoint, hurried, patience, inTransactions)
    if (outside === undefined) return { applied, version: newest(migrations) }
    await alone(endpoint, UNHURRIED, patience, async (sql) => {
      if ((await schemaVersion(sql)) >= outside.version) return
      await whenFree(tablePatience, () => applyOutside(sql, outside))
      applied.push(outside.name)
    })
  }
}

/**
 * The same inside a transaction of the caller's, up to a version: all of it is there after COMMIT, or nothing. Nobody
 * else is at the tables, so what would run outside a transaction runs in it.
 * @throws OperatorError where another process is migrating
 */
export async function migrateWithin(
  transaction: Executor,
  migrations: Migration[],
  upTo: number,
): Promise<void> {
  await checkServer(transaction)
  const [lock] = await transaction<{ taken: boolean }[]>`
    select pg_try_advisory_xact_lock(${MIGRATION_LOCK}::bigint) as taken`
  if (lock?.taken !== true) throw new OperatorError('Another process is migrating this database')
  const from = await schemaVersion(transaction)
  for (const migration of migrations.filter(({ version }) => version > from && version <= upTo)) {
    await apply(transaction, migration)
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

function refuseNewer(version: number, known: number): void {
  if (version <= known) return
  throw new OperatorError(
    `The database is at version ${version} and this program knows versions up to ${known}: ` +
      'run the Bellhop that made it, or a newer one',
  )
}

async function checkServer(sql: Executor): Promise<void> {
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

/** Work in a session that nobody else migrates beside; its end is the end of the lock. */
async function alone<T>(
  endpoint: DatabaseEndpoint,
  limits: { statementTimeout: number; lockTimeout: number },
  patience: number,
  work: (sql: Sql) => Promise<T>,
): Promise<T> {
  const database = openDatabase(endpoint, { max: 1, applicationName: 'bellhop migrate', ...limits })
  try {
    await waitForLock(database.sql, patience)
    return await work(database.sql)
  } finally {
    await database.close()
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

/** In a transaction. */
async function apply(sql: Executor, migration: Migration): Promise<void> {
  const { sql: text, outside } = migration
  await named(migration, async () => {
    await sql`
      create table if not exists schema_migrations (
        version integer primary key,
        name text not null,
        applied_at timestamptz not null default now()
      )`
    // First, so that the primary key decides even where the lock was lost with its connection.
    await record(sql, migration)
    await sql.unsafe(outside ? text.replaceAll(' CONCURRENTLY', '') : text)
  })
}

/** Its row comes last: one that was broken off begins again. */
async function applyOutside(sql: Sql, migration: Migration): Promise<void> {
  await named(migration, async () => {
    const statements = migration.sql.replaceAll(/--.*/g, '').split(';')
    for (const statement of statements) if (statement.trim() !== '') await sql.unsafe(statement)
    await record(sql, migration)
  })
}

async function record(sql: Executor, { version, name }: Migration): Promise<void> {
  await sql`insert into schema_migrations (version, name) values (${version}, ${name})`
}

async function named({ name }: Migration, work: () => Promise<void>): Promise<void> {
  try {
    await work()
  } catch (error) {
    if (isDatabaseAway(error)) throw error
    if (isForbidden(error)) {
      throw new OperatorError(
        'The database role may not create tables: grant it CREATE on its schema, or make it the owner',
      )
    }
    if (isNameTaken(error)) {
      throw new OperatorError(
        'The schema has a table, or a function, of another program with a name that Bellhop needs: give Bellhop a ' +
          'database of its own',
        { cause: error },
      )
    }
    throw new Error(`Migration ${name} failed`, { cause: error })
  }
}

/** SQLSTATE 42501, insufficient_privilege. */
function isForbidden(error: unknown): boolean {
  return hasState(error, '42501')
}

/** SQLSTATE 42P07, duplicate_table, and 42723, duplicate_function. */
function isNameTaken(error: unknown): boolean {
  return hasState(error, '42P07') || hasState(error, '42723')
}

function hasState(error: unknown, state: string): boolean {
  return error instanceof Error && 'code' in error && error.code === state
}
