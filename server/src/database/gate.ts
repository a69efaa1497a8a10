import { connectionError, DatabaseDeadline } from './database-error.ts'

/** How many may queue; beyond it nobody's turn would come in time. */
const QUEUE_LIMIT = 2000

export type Gate = {
  /**
   * Waits for a place, at most `ms` milliseconds, and gives the function that leaves it.
   * @throws DatabaseDeadline where none came free; an error with code DATABASE_BUSY where the queue is full
   */
  enter(ms: number): Promise<() => void>
  waiting(): number
}

/**
 * Lets `places` in at once and the others in the order they came. It stands before the driver's own queue,
 * from which a statement cannot be taken back: after an outage, that would carry out everything whose callers
 * have long been told "not now".
 */
export function createGate(places: number): Gate {
  let free = places
  // A Set keeps the order and lets one in the middle go.
  const queue = new Set<() => void>()

  function leaveOnce(): () => void {
    let left = false
    return () => {
      if (left) return
      left = true
      const next = queue.values().next().value
      if (next === undefined) {
        free++
      } else {
        queue.delete(next)
        next()
      }
    }
  }

  return {
    async enter(ms) {
      if (free > 0) {
        free--
        return leaveOnce()
      }
      if (queue.size >= QUEUE_LIMIT) throw connectionError('DATABASE_BUSY', 'Too many wait for the database')
      const { promise, resolve, reject } = Promise.withResolvers<void>()
      queue.add(resolve)
      const timer = setTimeout(
        () => {
          queue.delete(resolve)
          reject(new DatabaseDeadline('The database had no connection free in time'))
        },
        Math.max(0, ms),
      )
      try {
        await promise
      } finally {
        clearTimeout(timer)
      }
      return leaveOnce()
    },
    waiting: () => queue.size,
  }
}
