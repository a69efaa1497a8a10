import { constants } from 'node:fs'
import { access, mkdir } from 'node:fs/promises'
import { OperatorError } from '../../errors.ts'
import { withDeadline } from '../database-error.ts'
import type { DatabaseEndpoint } from '../endpoint.ts'
import { openDatabase } from '../pool.ts'
import { findBinaries } from './binaries.ts'
import { ensureCluster } from './cluster.ts'
import { holdDataDir } from './hold.ts'
import { DATABASE, type Layout, layoutOf, ROLE } from './layout.ts'
import { stopOrphan } from './orphan.ts'
import { ensurePassword, readPassword } from './password.ts'
import { runServer, type SupervisorLog } from './server.ts'
import { serverUser } from './server-user.ts'
import { readPidFile, socketPath } from './socket.ts'

export type EmbeddedServer = {
  readonly endpoint: DatabaseEndpoint
  /** Stops PostgreSQL, within 20 s in the worst case, and lets go of the DATA_DIR. Again is no error. */
  stop(): Promise<void>
  /** PostgreSQL's process; null while it is down. */
  pid(): number | null
}

export type EmbeddedOptions = {
  dataDir: string
  /** How this process names itself to those it refuses: `bellhop start`. */
  command: string
  log: SupervisorLog
  /** PostgreSQL settings beyond Bellhop's own, which they override. For tests that need no durability. */
  settings?: Record<string, string>
}

/**
 * Starts PostgreSQL on a DATA_DIR, which it makes where there is none, and keeps it running until it is
 * stopped. Of two at once, the second is refused. A server that a killed Bellhop left behind is ended first.
 * @throws OperatorError where the DATA_DIR is held by another, or PostgreSQL cannot run here
 */
export async function startEmbedded(options: EmbeddedOptions): Promise<EmbeddedServer> {
  const layout = layoutOf(options.dataDir)
  await makeDataDir(layout)
  const hold = await holdDataDir(layout, options.command)
  try {
    const user = await serverUser(layout.cluster)
    const binaries = await findBinaries(user)
    const password = await ensurePassword(layout.password)
    const orphan = await stopOrphan(layout.cluster)
    if (orphan !== null) options.log.warn('orphan_stopped', { pid: orphan })
    await ensureCluster(layout, binaries, user, password)
    const server = await runServer(layout, binaries, user, options.log, options.settings ?? {}).catch(() => {
      throw new OperatorError(`The embedded database did not start: see ${layout.log}`)
    })
    const endpoint = endpointOf(layout, server.socketFolder(), password)
    try {
      await ensureDatabase(endpoint)
    } catch (error) {
      await server.stop()
      throw error
    }
    return {
      endpoint,
      pid: server.pid,
      async stop() {
        await server.stop()
        hold.release()
      },
    }
  } catch (error) {
    hold.release()
    throw error
  }
}

/** The endpoint of the server that runs on a DATA_DIR, whoever runs it; null where none answers within 2 s. */
export async function findEmbedded(dataDir: string): Promise<DatabaseEndpoint | null> {
  const layout = layoutOf(dataDir)
  const password = await readPassword(layout.password).catch(() => null)
  const file = await readPidFile(layout.cluster)
  if (password === null || file === null) return null
  const endpoint = endpointOf(layout, file.socketFolder, password)
  const database = openDatabase(endpoint, { max: 1, applicationName: 'bellhop: does it answer?' })
  try {
    await withDeadline(database.sql`select`, 2000)
    return endpoint
  } catch {
    return null
  } finally {
    await database.close()
  }
}

/** Makes it where it is missing, and looks whether what is there is this user's to write. */
async function makeDataDir(layout: Layout): Promise<void> {
  try {
    await mkdir(layout.dataDir, { recursive: true, mode: 0o700 })
    await access(layout.dataDir, constants.R_OK | constants.W_OK | constants.X_OK)
    for (const file of [layout.lock, layout.password]) {
      await access(file, constants.R_OK | constants.W_OK).catch(ignoreMissing)
    }
  } catch {
    throw new OperatorError(`DATA_DIR: expected a folder that this user can write to: ${layout.dataDir}`)
  }
}

function ignoreMissing(error: unknown): void {
  if (!(error instanceof Error && 'code' in error && error.code === 'ENOENT')) throw error
}

function endpointOf(layout: Layout, folder: string, password: string): DatabaseEndpoint {
  const path = socketPath(layout.cluster, folder)
  return { kind: 'socket', path, user: ROLE, password, database: DATABASE }
}

/** The database of Bellhop's own, beside `postgres`, which is the server's. */
async function ensureDatabase(endpoint: DatabaseEndpoint): Promise<void> {
  const database = openDatabase(
    endpoint.kind === 'socket' ? { ...endpoint, database: 'postgres' } : endpoint,
    { max: 1, applicationName: 'bellhop start' },
  )
  try {
    const { sql } = database
    const [row] = await sql<{ exists: boolean }[]>`
      select exists (select from pg_database where datname = ${DATABASE}) as exists`
    if (row?.exists !== true) await sql`create database ${sql(DATABASE)}`
  } finally {
    await database.close()
  }
}
