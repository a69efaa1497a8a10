import { setTimeout as pause } from 'node:timers/promises'
import { OperatorError } from '../errors.ts'
import { isLockRefused } from './database-error.ts'

/**
 * Does it again while another session holds a table. Between the tries it
 * waits without a lock: a lock that is waited for keeps everybody else out meanwhile.
 * @param patience milliseconds after which a try is the last one
 * @throws OperatorError where the table was not free in time
 */
export async function whenFree<T>(patience: number, work: () => Promise<T>): Promise<T> {
  const deadline = performance.now() + patience
  for (;;) {
    try {
      return await work()
    } catch (error) {
      if (!isLockRefused(error)) throw error
      if (performance.now() > deadline) throw held(error)
    }
    await pause(2000)
  }
}

function held(cause: unknown): OperatorError {
  return new OperatorError(
    'Another session holds a table that the migration changes, a backup perhaps: wait for its end and start again',
    { cause },
  )
}
