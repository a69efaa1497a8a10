import type { ServerResponse } from 'node:http'

/** Milliseconds. */
const MOMENT_MS = 250

/**
 * Counts the requests that were let in during the last moments and are not over. Who is inside for longer waits
 * for a desk, an issuer or a body, and not for this process.
 */
export class Lately {
  #moment = 0
  #now = { count: 0 }
  #before = { count: 0 }
  readonly #inside = new WeakMap<ServerResponse, { count: number }>()

  count(now: number): number {
    this.#advance(now)
    return this.#now.count + this.#before.count
  }

  add(response: ServerResponse, now: number): void {
    this.#advance(now)
    this.#now.count++
    this.#inside.set(response, this.#now)
    response.once('close', () => this.leave(response))
  }

  /** Its answer goes on, and is no work. */
  leave(response: ServerResponse): void {
    const counted = this.#inside.get(response)
    if (counted === undefined) return
    this.#inside.delete(response)
    counted.count--
  }

  #advance(now: number): void {
    const moment = Math.floor(now / MOMENT_MS)
    if (moment === this.#moment) return
    this.#before = moment === this.#moment + 1 ? this.#now : { count: 0 }
    this.#now = { count: 0 }
    this.#moment = moment
  }
}
