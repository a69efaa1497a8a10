import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { closeSync, openSync } from 'node:fs'
import { appendFile, mkdir, readFile, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { findBinaries } from '../../server/src/database/embedded/binaries.ts'
import { dataFolder, ensureCluster } from '../../server/src/database/embedded/cluster.ts'
import { ENVIRONMENT } from '../../server/src/database/embedded/command.ts'
import { layoutOf, ROLE } from '../../server/src/database/embedded/layout.ts'
import { endServer, isAlive } from '../../server/src/database/embedded/process.ts'
import { serverUser } from '../../server/src/database/embedded/server-user.ts'
import { openDatabase } from '../../server/src/database/pool.ts'
import { familyOf, signalTo, until } from './processes.ts'

/** Everyone who comes over loopback gives the password; standbys too. */
const PG_HBA = `local all all scram-sha-256
host all all 127.0.0.1/32 scram-sha-256
host replication all 127.0.0.1/32 scram-sha-256
`
const DATABASE = 'bellhop'
const PASSWORD = 'only-for-this-run'

/**
 * A PostgreSQL of the operator's own, as Bellhop sees it: reached by TCP, and not ours to supervise. Here it
 * can be killed, paused, copied and promoted. It keeps its promises: fsync and synchronous_commit are on.
 */
export class PostgresCluster {
  /** PostgreSQL's own folder. */
  readonly folder: string
  /** What it prints. */
  readonly log: string
  readonly port: number
  #child: ChildProcess | null = null
  #settings: Record<string, string>

  private constructor(home: string, port: number, settings: Record<string, string>) {
    this.folder = layoutOf(home).cluster
    this.log = join(home, 'postgresql.log')
    this.port = port
    this.#settings = settings
  }

  /** A new cluster in a folder of its own, which is made; it is not running. */
  static async make(home: string, settings: Record<string, string> = {}): Promise<PostgresCluster> {
    const cluster = new PostgresCluster(home, await freePort(), settings)
    await mkdir(home, { recursive: true, mode: 0o700 })
    const user = await serverUser(cluster.folder)
    await ensureCluster(layoutOf(home), await findBinaries(user), user, PASSWORD)
    // Written over as it is, so that it stays the server's user's.
    await writeFile(join(cluster.folder, 'pg_hba.conf'), PG_HBA)
    return cluster
  }

  /** A cluster on a folder that was copied from another's, on a port of its own; it is not running. */
  static async adopt(home: string, settings: Record<string, string> = {}): Promise<PostgresCluster> {
    return new PostgresCluster(home, await freePort(), settings)
  }

  /** DATABASE_URL. */
  get url(): string {
    return `postgres://${ROLE}:${PASSWORD}@127.0.0.1:${this.port}/${DATABASE}`
  }

  /** For `primary_conninfo`. */
  get connectionInfo(): string {
    return `host=127.0.0.1 port=${this.port} user=${ROLE} password=${PASSWORD}`
  }

  /** The postmaster; null while it is down. */
  get pid(): number | null {
    const child = this.#child
    return child === null || child.exitCode !== null || child.signalCode !== null ? null : (child.pid ?? null)
  }

  /** The postmaster and every process of it. */
  get pids(): number[] {
    return this.pid === null ? [] : familyOf(this.pid)
  }

  /**
   * Starts it, and waits until it takes sessions. A server that was killed is recovered, and makes room first.
   * @param settings beyond those that it was made with, which they override; kept for the next start
   */
  async start(settings: Record<string, string> = {}): Promise<void> {
    this.#settings = { ...this.#settings, ...settings }
    await until('PostgreSQL takes sessions', async () => {
      if (this.pid === null) await this.#spawn()
      return this.#isReady()
    })
    if (!(await this.#isStandby())) await this.#ensureDatabase()
  }

  /** `kill -9` of the postmaster alone: its processes see it and end by themselves. */
  async killPostmaster(): Promise<void> {
    await this.#die([this.pid ?? 0])
  }

  /** `kill -9` of the postmaster and of all its processes. */
  async killAll(): Promise<void> {
    await this.#die(this.pids)
  }

  /** SIGSTOP of all: sessions stay open and nothing answers. @returns who was stopped */
  pause(): number[] {
    const stopped = this.pids
    for (const pid of stopped) signalTo(pid, 'SIGSTOP')
    return stopped
  }

  resume(): void {
    for (const pid of this.pids) signalTo(pid, 'SIGCONT')
  }

  /** Fast shutdown: sessions are ended, a last checkpoint is made. Again is no error. */
  async stop(): Promise<void> {
    const pid = this.pid
    if (pid === null) return
    this.resume()
    await endServer(pid, () => this.pid === null)
  }

  /** Makes a standby the primary (`pg_ctl promote`), and waits until it is. */
  async promote(): Promise<void> {
    await writeFile(join(this.folder, 'promote'), '')
    signalTo(this.pid ?? 0, 'SIGUSR1')
    await until('the standby is the primary', async () => !(await this.#isStandby()), { every: 5 })
  }

  async #die(pids: number[]): Promise<void> {
    const family = this.pids
    for (const pid of pids) signalTo(pid, 'SIGKILL')
    // A paused process of it dies by its parent's death when it is woken.
    for (const pid of family) signalTo(pid, 'SIGCONT')
    await until('PostgreSQL is gone', () => this.pid === null && !family.some(isAlive), { every: 5 })
  }

  async #spawn(): Promise<void> {
    const user = await serverUser(this.folder)
    const { postgres } = await findBinaries(user)
    const settings = {
      listen_addresses: '127.0.0.1',
      port: String(this.port),
      unix_socket_directories: '',
      fsync: 'on',
      synchronous_commit: 'on',
      full_page_writes: 'on',
      log_min_messages: 'log',
      log_min_error_statement: 'panic',
      ...this.#settings,
    }
    const args = Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`])
    const output = openSync(this.log, 'a', 0o600)
    this.#child = spawn(postgres, ['-D', dataFolder(this.folder), ...args], {
      ...user,
      cwd: this.folder,
      env: ENVIRONMENT,
      stdio: ['ignore', output, output],
    })
    closeSync(output)
    await once(this.#child, 'spawn')
  }

  async #isReady(): Promise<boolean> {
    // Line 8 of the pid file (PostgreSQL's miscadmin.h, LOCK_FILE_LINE_PM_STATUS).
    const lines = (await readFile(join(this.folder, 'postmaster.pid'), 'utf8').catch(() => '')).split('\n')
    const state = lines[7]?.trim()
    return Number(lines[0]) === this.pid && (state === 'ready' || state === 'standby')
  }

  async #ask<T>(database: string, question: (sql: ReturnType<typeof openDatabase>['sql']) => Promise<T>) {
    const url = this.url.replace(/[^/]*$/, `${database}?target_session_attrs=any`)
    const pool = openDatabase({ kind: 'url', url }, { max: 1, applicationName: 'chaos' })
    try {
      return await question(pool.sql)
    } finally {
      await pool.close()
    }
  }

  async #isStandby(): Promise<boolean> {
    const signal = await readFile(join(this.folder, 'standby.signal')).catch(() => null)
    if (signal === null) return false
    try {
      return await this.#ask('postgres', async (sql) => {
        const [row] = await sql<{ standby: boolean }[]>`select pg_is_in_recovery() as standby`
        return row?.standby === true
      })
    } catch (error) {
      // Bellhop's pool takes no session on a standby.
      if (error instanceof Error && 'code' in error && error.code === 'CONNECTION_DESTROYED') return true
      throw error
    }
  }

  async #ensureDatabase(): Promise<void> {
    await this.#ask('postgres', async (sql) => {
      const [row] = await sql`select from pg_database where datname = ${DATABASE}`
      if (row === undefined) await sql`create database ${sql(DATABASE)}`
    })
  }
}

/** A port of loopback that is free now. */
export async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  server.close()
  await once(server, 'close')
  if (address === null || typeof address === 'string') throw new Error('no port')
  return address.port
}

/** Adds a line to `postgresql.conf` of a cluster. */
export async function configure(cluster: PostgresCluster, line: string): Promise<void> {
  await appendFile(join(cluster.folder, 'postgresql.conf'), `${line}\n`)
}
