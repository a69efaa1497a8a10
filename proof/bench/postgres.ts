import { execFile } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { mkdir } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { promisify } from 'node:util'
import { findBinaries } from '../../server/src/database/embedded/binaries.ts'
import { startEmbedded } from '../../server/src/database/embedded/embedded.ts'
import { MIGRATIONS, migrate } from '../../server/src/database/migrations.ts'
import { type DatabaseEndpoint, openDatabase, type Sql } from '../../server/src/database/pool.ts'

/** A PostgreSQL of the bench's own, which several of Bellhop's processes share by DATABASE_URL. */
export type Postgres = {
  create(): Promise<BenchDatabase>
  stop(): Promise<void>
}

export type SocketEndpoint = Extract<DatabaseEndpoint, { kind: 'socket' }>

export type BenchDatabase = {
  endpoint: SocketEndpoint
  /** For DATABASE_URL. */
  url: string
}

const silent = { info: () => {}, warn: () => {} }

/**
 * @param settings of PostgreSQL, beyond those that Bellhop gives its embedded one
 */
export async function startPostgres(
  folder: string,
  settings: Record<string, string> = {},
): Promise<Postgres> {
  const dataDir = join(folder, 'postgresql')
  await mkdir(dataDir, { recursive: true })
  const server = await startEmbedded({ dataDir, command: 'npm run bench', log: silent, settings })
  const { endpoint } = server
  if (endpoint.kind !== 'socket') throw new Error('the embedded server is reached by its socket')
  return {
    async create() {
      const name = `bench_${randomBytes(4).toString('hex')}`
      await withSql({ ...endpoint, database: 'postgres' }, async (sql) => {
        await sql`create database ${sql(name)}`
      })
      const made = { ...endpoint, database: name }
      await migrate(made, MIGRATIONS)
      return { endpoint: made, url: urlOf(made) }
    },
    stop: () => server.stop(),
  }
}

/** One connection without a limit on its statements. */
export async function withSql<T>(endpoint: DatabaseEndpoint, work: (sql: Sql) => Promise<T>): Promise<T> {
  const database = openDatabase(endpoint, {
    max: 1,
    applicationName: 'npm run bench',
    statementTimeout: 3_600_000,
  })
  try {
    return await work(database.sql)
  } finally {
    await database.close()
  }
}

export async function dropDatabase(endpoint: SocketEndpoint): Promise<void> {
  await withSql({ ...endpoint, database: 'postgres' }, async (sql) => {
    await sql`drop database if exists ${sql(endpoint.database)} with (force)`
  })
}

/** Of the server that Bellhop brings, for example `18.4`. */
export async function postgresVersion(): Promise<string> {
  const { postgres } = await findBinaries(null)
  const { stdout } = await promisify(execFile)(postgres, ['--version'])
  return /[\d.]+/.exec(stdout)?.[0] ?? 'unknown'
}

function urlOf({ user, password, database, path }: SocketEndpoint): string {
  return `postgresql://${user}:${encodeURIComponent(password)}@/${database}?host=${encodeURIComponent(dirname(path))}`
}
