import { isDatabaseAway, type Sql } from '../database/pool.ts'
import type { Log } from '../log.ts'
import { type Change, readChanges, readDatabaseId, readHorizon } from './change.store.ts'
import type { Position } from './position.ts'

/** Entries that one statement reads. */
const AT_ONCE = 1000
/** Milliseconds for one statement. */
const STATEMENT_MS = 5000

export type FeedDeps = {
  run<T>(ms: number, work: (sql: Sql) => PromiseLike<T>): Promise<T>
  /** Milliseconds between two looks, more or less. */
  every: number
  random: () => number
  log: Log
  /** Hears all that was written, in its order, each once. */
  onChanges: (changes: Change[]) => void
  /** The database has gone back to an earlier state: nobody can say what was missed. */
  onReset: () => void
}

/** Reads the audit table once for all who listen in this process, and not while nobody does. */
export class EventFeed {
  readonly #deps: FeedDeps
  #listeners = 0
  #start: Promise<void> | null = null
  #database = ''
  #position: Position | null = null
  #timer: NodeJS.Timeout | null = null
  #looking: Promise<void> | null = null
  #stopped = false
  /** Why the last look failed, where it did: each is told once, however long it lasts. */
  #failing: 'outage' | 'fault' | null = null

  constructor(deps: FeedDeps) {
    this.#deps = deps
  }

  /** Up to where all have been told. */
  get position(): Position {
    if (this.#position === null) throw new Error('nobody listens to the feed')
    return this.#position
  }

  /** Whose order the positions are of. */
  get database(): string {
    return this.#database
  }

  /** Somebody listens from now on, until they {@link leave}; also where it fails. */
  async join(): Promise<void> {
    this.#listeners++
    this.#start ??= this.#begin()
    const start = this.#start
    try {
      await start
    } catch (error) {
      if (this.#start === start) this.#start = null
      throw error
    }
  }

  leave(): void {
    this.#listeners--
    if (this.#listeners > 0) return
    if (this.#timer !== null) clearTimeout(this.#timer)
    this.#timer = null
    this.#start = null
    this.#position = null
  }

  async stop(): Promise<void> {
    this.#stopped = true
    if (this.#timer !== null) clearTimeout(this.#timer)
    await this.#looking
  }

  async #begin(): Promise<void> {
    const { run } = this.#deps
    this.#database = await run(STATEMENT_MS, readDatabaseId)
    this.#position = await run(STATEMENT_MS, readHorizon)
    this.#lookLater()
  }

  #lookLater(): void {
    if (this.#stopped || this.#listeners === 0) return
    // Processes that were started together do not ask together.
    const delay = this.#deps.every * (0.75 + this.#deps.random() / 2)
    if (this.#timer !== null) clearTimeout(this.#timer)
    this.#timer = setTimeout(() => {
      this.#timer = null
      this.#looking = this.#look().finally(() => {
        this.#looking = null
        this.#lookLater()
      })
    }, delay)
  }

  /** Never fails: what could not be read is read the next time, from where it was left. */
  async #look(): Promise<void> {
    try {
      while (await this.#readOn());
      this.#failing = null
    } catch (error) {
      const why = isDatabaseAway(error) ? 'outage' : 'fault'
      if (why !== this.#failing) this.#deps.log.fault('events_unread', error)
      this.#failing = why
    }
  }

  /** @returns whether there is more */
  async #readOn(): Promise<boolean> {
    const from = this.#position
    if (from === null || this.#stopped) return false
    const read = await this.#deps.run(STATEMENT_MS, (sql) => readChanges(sql, from, AT_ONCE))
    // Meanwhile all left, and perhaps others came.
    if (this.#position !== from) return false
    if (read.horizon.xid < from.xid) {
      this.#position = read.horizon
      this.#deps.onReset()
      return false
    }
    this.#position = read.readTo
    this.#deps.onChanges(read.changes)
    return read.isFull
  }
}
