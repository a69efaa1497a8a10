import { forgetUnreferred, readInstallation } from '../blobs/blob.store.ts'
import type { BlobFolder } from '../blobs/blob-folder.ts'
import type { Database } from '../database/pool.ts'
import type { Log } from '../log.ts'
import { buryExpired, sweepKeys } from './delivery.store.ts'

const OFTEN_MS = 60_000
const HOURLY = 60
const STATEMENT_MS = 10_000

/**
 * What a worker does beside carrying: once a minute it buries deliveries on which processes died for three
 * days, once an hour it sweeps idempotency keys over 24 h and blobs that nothing refers to. All of it is safe
 * to run on several workers at once.
 */
export class Upkeep {
  readonly #database: Database
  readonly #blobs: BlobFolder
  readonly #log: Log
  readonly #random: () => number
  #timer: NodeJS.Timeout | undefined
  #rounds = 0
  #running: Promise<void> = Promise.resolve()

  constructor(deps: { database: Database; blobs: BlobFolder; log: Log; random: () => number }) {
    this.#database = deps.database
    this.#blobs = deps.blobs
    this.#log = deps.log
    this.#random = deps.random
  }

  start(): void {
    this.#schedule()
    // Said at once, so that the folder is known before anything in it is old.
    this.#running = this.#owns().then(
      (owns) => {
        if (!owns) this.#log.error('blobs_of_another_installation')
      },
      (error) => this.#log.fault('upkeep_failed', error),
    )
  }

  #schedule(): void {
    this.#timer = setTimeout(
      () => {
        this.#running = this.round().finally(() => {
          if (this.#timer !== undefined) this.#schedule()
        })
      },
      OFTEN_MS * (0.8 + 0.4 * this.#random()),
    )
    this.#timer.unref()
  }

  async stop(): Promise<void> {
    clearTimeout(this.#timer)
    this.#timer = undefined
    await this.#running
  }

  async round(): Promise<void> {
    try {
      const dead = await this.#database.run(STATEMENT_MS, buryExpired)
      if (dead > 0) this.#log.warn('deliveries_buried', { count: dead })
      if (++this.#rounds % HOURLY === 0) await this.sweep()
    } catch (error) {
      this.#log.fault('upkeep_failed', error)
    }
  }

  async sweep(): Promise<void> {
    const keys = await this.#database.run(STATEMENT_MS, sweepKeys)
    const blobs = (await this.#owns())
      ? await this.#blobs.sweep((names) =>
          this.#database.run(STATEMENT_MS, (sql) => forgetUnreferred(sql, names)),
        )
      : 0
    this.#log.info('swept', { count: keys + blobs })
  }

  async #owns(): Promise<boolean> {
    return this.#blobs.belongsTo(await this.#database.run(STATEMENT_MS, readInstallation))
  }
}
