import type { Database, Sql } from '../database/pool.ts'
import type { Log } from '../log.ts'
import { FIRST, type Place } from './unfinished.ts'

const EVERY_MS = 10_000
const STATEMENT_MS = 10_000
/** Milliseconds by which a clock may be put right without anybody's minding. */
const SLACK_MS = 30_000
/** Every so many looks what is very far away is looked at anyhow: a clock may be back before it was seen to jump. */
const ANYHOW = 6
/** Seconds that are very far: beyond every back-off that no desk has asked for. */
const FAR = 65 * 60

/**
 * Sets right what waits for times that a clock put back has made far away, some at a time.
 * @param beyond seconds: what is due before is left as it is
 * @returns how many there were, and where to go on; null: that was all
 */
export type Mend = (sql: Sql, beyond: number, from: Place) => Promise<{ count: number; next: Place | null }>

/**
 * Leases and back-off are measured by the database's clock. Where that is put back, or a standby with another clock
 * becomes the primary, what was due soon would wait for as long as the jump was: it is set right. A clock that is
 * put forward needs nothing: what waits is due early.
 */
export class DatabaseClock {
  readonly #database: Database
  readonly #log: Log
  readonly #mend: Mend
  readonly #every: number
  #timer: NodeJS.Timeout | undefined
  #running: Promise<void> = Promise.resolve()
  #stopped = false
  /** The two clocks' difference at the last look; null: there was none. */
  #ahead: number | null = null
  /** Looks after which all is mended once more: a statement may have been under way that had the former time. */
  #mendings = 0
  #looks = 0

  constructor(deps: {
    database: Database
    log: Log
    mend: Mend
    /** Milliseconds between looks; 10,000 unless told. */
    every?: number
  }) {
    this.#database = deps.database
    this.#log = deps.log
    this.#mend = deps.mend
    this.#every = deps.every ?? EVERY_MS
  }

  start(): void {
    this.#timer = setTimeout(() => {
      this.#running = this.look().finally(() => {
        if (!this.#stopped) this.start()
      })
    }, this.#every)
    this.#timer.unref()
  }

  async stop(): Promise<void> {
    this.#stopped = true
    clearTimeout(this.#timer)
    await this.#running
  }

  /** Compares it with a clock that nobody sets. The first look knows nothing of what was before, and mends too. */
  async look(): Promise<void> {
    try {
      const asked = performance.now()
      const [row] = await this.#database.run(
        STATEMENT_MS,
        (sql) => sql<{ now: number }[]>`SELECT extract(epoch FROM now())::float8 * 1000 AS now`,
      )
      if (row === undefined) return
      const ahead = row.now - asked
      if (this.#ahead === null || ahead < this.#ahead - SLACK_MS) this.#mendings = 2
      this.#ahead = ahead
      if (this.#mendings > 0) {
        // One that fails counts as well, so that what always fails is not tried without end.
        this.#mendings--
        await this.#mendBeyond(SLACK_MS / 1000)
      } else if (++this.#looks % ANYHOW === 0) await this.#mendBeyond(FAR)
    } catch (error) {
      this.#log.fault('database_clock_unknown', error)
    }
  }

  async #mendBeyond(seconds: number): Promise<void> {
    let mended = 0
    try {
      for (let from: Place | null = FIRST; from !== null && !this.#stopped; ) {
        const place: Place = from
        const { count, next } = await this.#database.run(STATEMENT_MS, (sql) =>
          this.#mend(sql, seconds, place),
        )
        mended += count
        from = next
      }
    } finally {
      if (mended > 0) this.#log.warn('database_clock_put_back', { count: mended })
    }
  }
}
