import type { FastifyRateLimitStore } from '@fastify/rate-limit'
import { LRUCache } from 'lru-cache'

/** Persons remembered at once; of more, those longest silent are forgotten. */
const PERSONS = 50_000

type Window = { current: number; since: number }

/**
 * Counts by a clock that is never put back. The plugin's own store reads the time of day, and where that jumps a day
 * back, whoever had used up a minute is refused for a day.
 */
export class MinuteCounts implements FastifyRateLimitStore {
  readonly #windows = new LRUCache<string, Window>({ max: PERSONS })
  readonly #now: () => number

  /** @param now milliseconds that only grow */
  constructor(_options: object = {}, now: () => number = () => performance.now()) {
    this.#now = now
  }

  incr(
    key: string,
    answer: (error: Error | null, result?: { current: number; ttl: number }) => void,
    timeWindow: number,
  ): void {
    const now = this.#now()
    const known = this.#windows.get(key)
    const window = known !== undefined && now - known.since < timeWindow ? known : { current: 0, since: now }
    window.current++
    if (window !== known) this.#windows.set(key, window)
    answer(null, { current: window.current, ttl: timeWindow - (now - window.since) })
  }

  /** Of a route of its own; all count together here. */
  child(): MinuteCounts {
    return this
  }
}
