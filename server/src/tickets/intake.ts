import { type Database, DatabaseDeadline, isDatabaseAway, isLockTimeout } from '../database/pool.ts'
import { IDEMPOTENCY_WAIT } from './idempotency.ts'
import { type Inserted, insertTickets, type NewTicketRow } from './new-ticket.store.ts'

/** Milliseconds that a ticket waits to be kept. */
const LIMIT_MS = 5000
/** Statements at once. While they run, what comes gathers for the next one. */
const LANES = 4
/** Of one statement. */
const ROWS = 64
/** Milliseconds that a group waits for a key; then each of its tickets waits alone. */
const GROUP_KEY_MS = 100
/** Characters of text of one statement; a longer ticket goes alone. */
const CHARACTERS = 256 * 1024

type Waiting = {
  row: NewTicketRow
  size: number
  /** When its time is up. */
  deadline: number
  resolve: (inserted: Inserted) => void
  reject: (error: unknown) => void
}

/**
 * Groups tickets that come at the same time into one statement and one COMMIT, which costs the database little
 * more than a single one. Nobody waits for company: a ticket that comes alone is kept alone and at once, and
 * each is answered only after the COMMIT that holds it.
 */
export class Intake {
  readonly #database: Pick<Database, 'run'>
  readonly #queue: Waiting[] = []
  #running = 0
  #waiting = 0

  constructor(database: Pick<Database, 'run'>) {
    this.#database = database
  }

  /** Tickets that are not kept yet. */
  get waiting(): number {
    return this.#waiting
  }

  /**
   * Keeps a ticket. No other with the same key may be on its way in this process.
   * @param deadline by `performance.now()`, at most the default: {@link LIMIT_MS} from now
   */
  keep(row: NewTicketRow, deadline: number = performance.now() + LIMIT_MS): Promise<Inserted> {
    const { promise, resolve, reject } = Promise.withResolvers<Inserted>()
    this.#queue.push({ row, size: row.body.length + row.subject.length, deadline, resolve, reject })
    this.#waiting++
    this.#next()
    return promise.finally(() => {
      this.#waiting--
    })
  }

  #next(): void {
    this.#refuseLate()
    while (this.#running < LANES && this.#queue.length > 0) {
      const group = this.#take()
      this.#running++
      void this.#keepGroup(group).finally(() => {
        this.#running--
        this.#next()
      })
    }
  }

  /** While the database hangs, who queues behind those that it holds is told in time too. */
  #refuseLate(): void {
    const now = performance.now()
    if (!this.#queue.some(({ deadline }) => deadline <= now)) return
    for (const waiting of this.#queue.splice(0)) {
      if (waiting.deadline > now) this.#queue.push(waiting)
      else waiting.reject(new DatabaseDeadline('The ticket could not be kept in time'))
    }
  }

  #take(): Waiting[] {
    let size = 0
    let count = 0
    for (const waiting of this.#queue) {
      size += waiting.size
      if (count > 0 && (size > CHARACTERS || count === ROWS)) break
      count++
    }
    return this.#queue.splice(0, count)
  }

  async #keepGroup(group: Waiting[]): Promise<void> {
    const rows = group.map(({ row }) => row)
    const left = Math.max(0, Math.min(...group.map(({ deadline }) => deadline)) - performance.now())
    const keyPatience = group.length > 1 ? GROUP_KEY_MS : IDEMPOTENCY_WAIT - (LIMIT_MS - left)
    try {
      const inserted = await this.#database.run(left, (sql) => insertTickets(sql, rows, keyPatience))
      group.forEach(({ resolve }, index) => {
        const one = inserted[index]
        if (one !== undefined) resolve(one)
      })
    } catch (error) {
      // Where nothing was kept since one ticket waits for its key, or is at fault, the others go without it. Where
      // the database is away nobody knows, and each is told so.
      if (group.length > 1 && (isLockTimeout(error) || !isDatabaseAway(error))) {
        // Not waited for: the lane is for the next ones.
        for (const one of group) void this.#keepGroup([one])
      } else {
        for (const { reject } of group) reject(error)
      }
    }
  }
}
