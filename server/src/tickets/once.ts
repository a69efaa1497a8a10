import type { Database, Executor } from '../database/pool.ts'
import { findKey, type KeyHolder, lockKey, takeKey } from './idempotency.store.ts'
import { idempotencyMismatch, type KeysInFlight } from './idempotency.ts'
import type { IdempotencyKeyRow } from './new-ticket.store.ts'
import type { Outages } from './outage.ts'

/** How long a request waits for its key and the database in all, in milliseconds. */
const LIMIT_MS = 5000

export type OnceDeps = { database: Database; outages: Outages; keys: KeysInFlight }

/** What was done now, or the message that the key stood for already. */
export type Once<T> = { done: T } | { replayOf: string }

/** What is done under a key, and the message that the key stands for from then on. */
export type Work<T> = (tx: Executor) => Promise<{ messageId: string; value: T }>

/** Ends a transaction whose key went to somebody else. */
class KeyTaken extends Error {
  readonly holder: KeyHolder
  constructor(holder: KeyHolder) {
    super('the key was taken meanwhile')
    this.holder = holder
  }
}

/**
 * Does something in one transaction, and at most once for a key.
 * @throws AppError `idempotency_mismatch`, `idempotency_conflict`, `unavailable`, and as `work` does
 */
export async function once<T>(
  deps: OnceDeps,
  brandId: string,
  key: IdempotencyKeyRow | null,
  work: Work<T>,
): Promise<Once<T>> {
  if (key === null) return inTransaction(deps, LIMIT_MS, async (tx) => ({ done: (await work(tx)).value }))
  const entered = performance.now()
  const leave = await deps.keys.enter(key)
  try {
    return await inTransaction(deps, LIMIT_MS - (performance.now() - entered), async (tx) => {
      await lockKey(tx, key)
      const before = await findKey(tx, brandId, key)
      if (before !== null) return replay(before, key)
      const { messageId, value } = await work(tx)
      const holder = await takeKey(tx, brandId, key, messageId)
      if (holder.messageId !== messageId) throw new KeyTaken(holder)
      return { done: value }
    })
  } catch (error) {
    if (error instanceof KeyTaken) return replay(error.holder, key)
    throw error
  } finally {
    leave()
  }
}

function replay({ messageId, requestHash }: KeyHolder, key: IdempotencyKeyRow): { replayOf: string } {
  if (!requestHash.equals(key.requestHash)) throw idempotencyMismatch()
  return { replayOf: messageId }
}

async function inTransaction<T>(
  { database, outages }: OnceDeps,
  ms: number,
  work: (tx: Executor) => Promise<Once<T>>,
): Promise<Once<T>> {
  // The driver's own type would take a promise within the value apart.
  const whole = database.run(ms, (sql) => sql.begin(work) as Promise<Once<T>>)
  return outages.database(whole)
}
