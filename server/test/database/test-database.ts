import { randomBytes } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { inject } from 'vitest'
import { startEmbedded } from '../../src/database/embedded/embedded.ts'
import { migrate, readMigrations } from '../../src/database/migrations.ts'
import { type Database, type DatabaseEndpoint, openDatabase, type Sql } from '../../src/database/pool.ts'

/** The migrations that ship. */
export const MIGRATIONS = join(import.meta.dirname, '../../migrations')

/** For what the supervisor says. */
export const silent = { info: () => {}, warn: () => {} }

export type TestServer = { endpoint: DatabaseEndpoint; dataDir: string; stop(): Promise<void> }

/**
 * A PostgreSQL of its own in a temporary folder. Prefer {@link createTestDatabase}, which makes a database on
 * the one that all test files share.
 * @param options.fast without fsync, so not for tests of durability
 */
export async function startTestServer(options: { fast?: boolean } = {}): Promise<TestServer> {
  const dataDir = await mkdtemp(join(tmpdir(), 'bellhop-test-'))
  const server = await startEmbedded({
    dataDir,
    command: 'vitest',
    log: silent,
    settings: options.fast === true ? { fsync: 'off', full_page_writes: 'off', max_connections: '300' } : {},
  })
  return {
    endpoint: server.endpoint,
    dataDir,
    async stop() {
      await server.stop()
      await rm(dataDir, { recursive: true, force: true })
    },
  }
}

export type TestDatabase = {
  endpoint: DatabaseEndpoint
  database: Database
  /** The database's pool, for the tests' own questions. */
  sql: Sql
  /** Another migrated, empty database on the same server; it goes with this one. */
  createDatabase(): Promise<DatabaseEndpoint>
  stop(): Promise<void>
}

/**
 * A migrated, empty database on the server that all test files share.
 * @param options.migrated false: without a single table
 */
export async function createTestDatabase(options: { migrated?: boolean } = {}): Promise<TestDatabase> {
  const server = inject('databaseServer')
  const template = options.migrated === false ? 'template1' : await ensureTemplate(server)
  const made: string[] = []
  const createDatabase = async (): Promise<DatabaseEndpoint> => {
    const name = `test_${randomBytes(6).toString('hex')}`
    await onServer(server, (sql) => sql`create database ${sql(name)} template ${sql(template)}`)
    made.push(name)
    return withDatabase(server, name)
  }
  const endpoint = await createDatabase()
  const database = openDatabase(endpoint, { max: 4, applicationName: 'vitest' })
  return {
    endpoint,
    database,
    sql: database.sql,
    createDatabase,
    async stop() {
      await database.close()
      await onServer(server, async (sql) => {
        for (const name of made) await sql`drop database if exists ${sql(name)} with (force)`
      })
    },
  }
}

/** The same server, another database. */
export function withDatabase(endpoint: DatabaseEndpoint, name: string): DatabaseEndpoint {
  if (endpoint.kind !== 'socket') throw new Error('The test server is reached by its socket')
  return { ...endpoint, database: name }
}

/** Migrated once a run, by whichever file comes first, since copying is ten times as fast as migrating. */
async function ensureTemplate(server: DatabaseEndpoint): Promise<string> {
  const newest = (await readMigrations(MIGRATIONS)).length
  const template = `template_${newest}`
  await onServer(server, async (sql) => {
    await sql`select pg_advisory_lock(hashtext('template'))`
    const [found] = await sql`select from pg_database where datname = ${template} and datistemplate`
    if (found !== undefined) return
    await sql`drop database if exists ${sql(template)} with (force)`
    await sql`create database ${sql(template)}`
    await migrate(withDatabase(server, template), MIGRATIONS)
    await sql`alter database ${sql(template)} is_template true`
  })
  return template
}

/** One session in the server's own database; its locks end with it. */
async function onServer(server: DatabaseEndpoint, work: (sql: Sql) => PromiseLike<unknown>): Promise<void> {
  const database = openDatabase(withDatabase(server, 'postgres'), {
    max: 1,
    applicationName: 'vitest',
    lockTimeout: 30_000,
    statementTimeout: 60_000,
  })
  try {
    await work(database.sql)
  } finally {
    await database.close()
  }
}
