import { forgetUnreferred, readInstallation } from '../blobs/blob.store.ts'
import type { BlobFolder } from '../blobs/blob-folder.ts'
import type { Database, Sql } from '../database/pool.ts'
import type { Log } from '../log.ts'
import { heldSince } from './hold.ts'
import { BURIED_AT_ONCE, buryExpired, SWEPT_AT_ONCE, sweepKeys } from './upkeep.store.ts'

const OFTEN_MS = 60_000
const HOURLY = 60
const STATEMENT_MS = 10_000

/** Something that others want done once a minute, so many at a time until none is left. */
export type Chore = {
  /** Said with the count where there were any. */
  event: string
  atOnce: number
  /** Safe to run on several workers at once. @returns how many there were, of at most `atOnce` */
  some(sql: Sql): Promise<number>
}

/**
 * What a worker does beside carrying: once a minute it says whether deliveries are on hold, buries deliveries on
 * which processes died for three days, sweeps idempotency keys over 24 h and does the chores of others, once an
 * hour it sweeps blobs that nothing refers to. All of it is safe to run on several workers at once.
 */
export class Upkeep {
  readonly #database: Database
  readonly #blobs: BlobFolder
  readonly #log: Log
  readonly #random: () => number
  readonly #underWay: () => string[]
  readonly #every: number
  readonly #chores: Chore[]
  #stopped = false
  #timer: NodeJS.Timeout | undefined
  #rounds = 0
  #held = false
  #running: Promise<void> = Promise.resolve()

  constructor(deps: {
    database: Database
    blobs: BlobFolder
    log: Log
    random: () => number
    /** The ids of the deliveries that this process attempts at the moment. */
    underWay: () => string[]
    /** Milliseconds between rounds; a minute unless told. */
    every?: number
    /** None unless given. */
    chores?: Chore[]
  }) {
    this.#database = deps.database
    this.#blobs = deps.blobs
    this.#log = deps.log
    this.#random = deps.random
    this.#underWay = deps.underWay
    this.#every = deps.every ?? OFTEN_MS
    this.#chores = deps.chores ?? []
  }

  start(): void {
    this.#schedule()
    // Said at once, so that the folder is known before anything in it is old.
    this.#running = this.#first().catch((error) => this.#log.fault('upkeep_failed', error))
  }

  async #first(): Promise<void> {
    if (!(await this.#owns())) this.#log.error('blobs_of_another_installation')
    await this.#tellHold()
  }

  #schedule(): void {
    this.#timer = setTimeout(
      () => {
        this.#running = this.round().finally(() => {
          if (!this.#stopped) this.#schedule()
        })
      },
      this.#every * (0.8 + 0.4 * this.#random()),
    )
    this.#timer.unref()
  }

  async stop(): Promise<void> {
    this.#stopped = true
    clearTimeout(this.#timer)
    await this.#running
  }

  async round(): Promise<void> {
    try {
      await this.#tellHold()
      const dead = await this.#all(BURIED_AT_ONCE, (sql) => buryExpired(sql, this.#underWay()))
      if (dead > 0) this.#log.warn('deliveries_buried', { count: dead })
      const keys = await this.#all(SWEPT_AT_ONCE, sweepKeys)
      if (keys > 0) this.#log.info('keys_swept', { count: keys })
      for (const { event, atOnce, some } of this.#chores) {
        const count = await this.#all(atOnce, some)
        if (count > 0) this.#log.info(event, { count })
      }
      if (++this.#rounds % HOURLY === 0) await this.sweepBlobs()
    } catch (error) {
      this.#log.fault('upkeep_failed', error)
    }
  }

  /** Said when it changes, and at the start: whoever reads the log should know why nothing leaves. */
  async #tellHold(): Promise<void> {
    const held = (await this.#database.run(STATEMENT_MS, heldSince)) !== null
    if (held === this.#held) return
    this.#held = held
    if (held) this.#log.warn('deliveries_held')
    else this.#log.info('deliveries_released')
  }

  async sweepBlobs(): Promise<void> {
    if (!(await this.#owns())) return
    const blobs = await this.#blobs.sweep((names) =>
      this.#database.run(STATEMENT_MS, (sql) => forgetUnreferred(sql, names)),
    )
    this.#log.info('blobs_swept', { count: blobs })
  }

  /** Does a thing so many at a time until none is left, or this process stops. @returns how many in all */
  async #all(atOnce: number, some: (sql: Sql) => Promise<number>): Promise<number> {
    let all = 0
    for (let count = atOnce; count >= atOnce && !this.#stopped; all += count) {
      count = await this.#database.run(STATEMENT_MS, some)
    }
    return all
  }

  async #owns(): Promise<boolean> {
    return this.#blobs.belongsTo(await this.#database.run(STATEMENT_MS, readInstallation))
  }
}
