import { rm } from 'node:fs/promises'
import { dirname } from 'node:path'
import { openDatabase } from '../../server/src/database/pool.ts'
import { copyRunning, writeOwned } from './base-backup.ts'
import { Line } from './line.ts'
import { configure, type PostgresCluster } from './postgres.ts'
import { signalTo, until } from './processes.ts'

/** One of two places that a server stands at, and the line that all reach it by, Bellhop and the other one too. */
type Place = { line: Line; server: PostgresCluster | null }

/** What a standby needs of the log when it first follows, and no more of it than fits. */
export const PAIR_SETTINGS = { wal_keep_size: '256MB', max_wal_size: '128MB', wal_receiver_timeout: '5s' }

/**
 * A primary and its synchronous standby, at two places whose addresses stay: a commit is acknowledged when both
 * have it. Whoever is lost is made anew from the other.
 */
export class Pair {
  readonly #folder: string
  readonly #places: [Place, Place]
  #primary: 0 | 1 = 0
  #made = 0

  private constructor(folder: string, places: [Place, Place]) {
    this.#folder = folder
    this.#places = places
  }

  /** @param first a running server, which becomes the primary */
  static async of(first: PostgresCluster, folder: string): Promise<Pair> {
    const places = await Promise.all([Line.to(first.port), Line.to(first.port)])
    const pair = new Pair(folder, [
      { line: places[0], server: first },
      { line: places[1], server: null },
    ])
    // In the copy too, and in force here once there is one.
    await configure(first, `synchronous_standby_names = '*'`)
    await pair.addStandby()
    signalTo(first.pid ?? 0, 'SIGHUP')
    await pair.untilSynchronous()
    return pair
  }

  get primary(): PostgresCluster {
    return serverAt(this.#places[this.#primary])
  }

  get standby(): PostgresCluster {
    return serverAt(this.#places[this.#primary === 0 ? 1 : 0])
  }

  /** The line to the primary. */
  get line(): Line {
    return this.#places[this.#primary].line
  }

  /** DATABASE_URL with both places. */
  get url(): string {
    const { url, port } = this.primary
    const hosts = this.#places.map(({ line }) => `127.0.0.1:${line.port}`).join(',')
    return `${url.replace(`127.0.0.1:${port}`, hosts)}?target_session_attrs=read-write`
  }

  /** The standby becomes the primary; the other place is a lost one's, until a standby is added. */
  async promote(): Promise<void> {
    await this.standby.promote()
    this.#primary = this.#primary === 0 ? 1 : 0
  }

  /** Kills what is left at the other place, and makes a standby there from the primary while that runs. */
  async addStandby(): Promise<void> {
    const place = this.#places[this.#primary === 0 ? 1 : 0]
    const { server: old } = place
    if (old !== null) {
      await old.killAll()
      await rm(dirname(old.folder), { recursive: true })
    }
    const home = `${this.#folder}/postgresql-${++this.#made}`
    const standby = await copyRunning(this.primary, home, PAIR_SETTINGS)
    place.server = standby
    place.line.target = standby.port
    await writeOwned(`${standby.folder}/standby.signal`, '', standby.folder)
    const { connectionInfo, port } = this.primary
    const info = connectionInfo.replace(`port=${port}`, `port=${this.line.port}`)
    await standby.start({ primary_conninfo: info, hot_standby: 'on' })
  }

  /** Until every commit waits for the standby, and the standby has what there is. */
  async untilSynchronous(): Promise<void> {
    await this.ask(this.primary, (sql) =>
      until('the standby is synchronous', async () => {
        const [row] = await sql<{ state: string }[]>`
          select sync_state as state from pg_stat_replication where state = 'streaming'`
        return row?.state === 'sync' || row?.state === 'quorum'
      }),
    )
  }

  /** How often a standby has become the primary since the cluster was made. */
  async timeline(): Promise<number> {
    return this.ask(this.primary, async (sql) => {
      const [row] = await sql<{ timeline: number }[]>`
        select substring(pg_walfile_name(pg_current_wal_lsn()) for 8) as timeline`
      return Number.parseInt(String(row?.timeline), 16)
    })
  }

  async ask<T>(
    server: PostgresCluster,
    question: (sql: ReturnType<typeof openDatabase>['sql']) => Promise<T>,
  ) {
    const pool = openDatabase({ kind: 'url', url: server.url }, { max: 1, applicationName: 'chaos' })
    try {
      return await question(pool.sql)
    } finally {
      await pool.close()
    }
  }

  async close(): Promise<void> {
    // What waits for the other is not waited for.
    for (const { server } of this.#places) await server?.killAll()
    await Promise.all(this.#places.map(({ line }) => line.close()))
  }
}

function serverAt({ server }: Place): PostgresCluster {
  if (server === null) throw new Error('no server stands there yet')
  return server
}
