import type postgres from 'postgres'
import { withDeadline } from './database-error.ts'
import { createDriverPool, type DriverPool } from './driver-pool.ts'
import { type DatabaseEndpoint, targetOf } from './endpoint.ts'
import { createGate } from './gate.ts'
import { createPrimaryFinder } from './primary.ts'
import { sessionSettings } from './session.ts'
import { createSessionsAtWork } from './sessions.ts'

export {
  DatabaseDeadline,
  describeDatabaseError,
  isDatabaseAway,
  isLockTimeout,
  withDeadline,
} from './database-error.ts'
export type { DatabaseEndpoint } from './endpoint.ts'

/** A pool as the driver makes it. */
export type Sql = postgres.Sql

/** What stores take as their first argument: the pool or a transaction. The caller decides which. */
export type Executor = postgres.ISql

export type DatabaseOptions = {
  /** How many connections at most. */
  max: number
  /** How the sessions name themselves in `pg_stat_activity`; what the URL names them follows it. */
  applicationName: string
  /** Milliseconds that the server gives one statement; 10,000 unless told. */
  statementTimeout?: number
  /** Milliseconds that a statement waits for another's lock; 2,000 unless told. */
  lockTimeout?: number
}

export type Database = {
  /** The pool. It reconnects by itself, to whichever host is the primary. */
  readonly sql: Sql
  /**
   * Runs `work` within `ms` milliseconds: with the pool free, at once; with all of it in use, when its turn
   * comes, and not at all where the deadline is first. So a server that hangs is left with at most `max`
   * statements whose callers have gone.
   * @throws DatabaseDeadline
   */
  run<T>(ms: number, work: (sql: Sql) => PromiseLike<T>): Promise<T>
  /** For the metrics: open connections, those that wait for an answer, the most there can be, and who queues. */
  use(): { open: number; busy: number; max: number; waiting: number }
  /** Lets statements finish for up to 5 s, then ends every connection. Again is no error. */
  close(): Promise<void>
}

/**
 * Opens a pool. Nothing is connected before the first statement.
 * @throws OperatorError where the endpoint's URL is wrong
 */
export function openDatabase(endpoint: DatabaseEndpoint, options: DatabaseOptions): Database {
  const target = targetOf(endpoint)
  const statementTimeout = options.statementTimeout ?? 10_000
  const settings = sessionSettings({
    applicationName: [options.applicationName, target.applicationName]
      .filter((name) => name !== null)
      .join(' '),
    statementTimeout,
    lockTimeout: options.lockTimeout ?? 2000,
  })
  const silence = statementTimeout + 5000
  const findPrimary = createPrimaryFinder(target)
  const isAtWork = createSessionsAtWork(target)
  const failures = { count: 0 }
  const gate = createGate(options.max)
  const closing = new AbortController()
  const retired = new Set<Promise<void>>()
  let closed: Promise<void> | null = null

  function openPool(): DriverPool {
    const pool = createDriverPool(target, options.max, settings, {
      findPrimary,
      isAtWork,
      silence,
      failures,
      onBroken: () => replace(pool),
    })
    return pool
  }

  /**
   * A connection of the driver's that broke keeps the statement it was at and the error that came with the
   * break, which after the reconnect fails a statement that has nothing to do with it; where it broke with a
   * write pending, it never writes again. So a pool with a broken connection is replaced by a new one, and the
   * old one finishes what it has under way.
   */
  function replace(broken: DriverPool): void {
    if (broken !== current || closed !== null) return
    current = openPool()
    const ending = broken.retire(silence, closing.signal)
    retired.add(ending)
    ending.finally(() => retired.delete(ending))
  }

  let current = openPool()

  /** Stands for the current pool, whichever that is when it is called. */
  const sql: Sql = new Proxy(current.sql, {
    apply: (_target, _this, args) => Reflect.apply(current.sql, undefined, args),
    get: (_target, key) => Reflect.get(current.sql, key),
  })

  return {
    sql,
    async run(ms, work) {
      const started = performance.now()
      const leave = await gate.enter(ms)
      const running = start(() => work(sql))
      // The place is free when the statement has ended, not when its caller has gone.
      running.then(leave, leave)
      return await withDeadline(running, ms - (performance.now() - started))
    },
    use: () => ({ ...current.use(), max: options.max, waiting: gate.waiting() }),
    close() {
      closed ??= (async () => {
        closing.abort()
        await Promise.all([current.close(), ...retired])
      })()
      return closed
    },
  }
}

/** Runs it now; one that throws before its first await is a promise that fails. */
async function start<T>(work: () => PromiseLike<T>): Promise<T> {
  return await work()
}
