import type { DeliveryState } from './delivery.store.ts'

/** Requests of one outlet that wait; the next ones are answered without waiting. */
const PER_OUTLET = 50

type Queue = {
  waiting: number
  /** A request waited for nothing, and what is due has not all had its place since. */
  behind: boolean
}

/**
 * Requests whose tickets found no place at their desk, and that wait until this process comes to them. After
 * an outage more may be due than is carried within a brand's wait: once one has waited for nothing nobody
 * does, until all that is due has its place.
 */
export class Waiters {
  readonly #queues = new Map<string, Queue>()
  readonly #settle = new Map<string, (settled: DeliveryState | null) => void>()

  /**
   * @param outlet its name
   * @param ms the longest wait
   * @returns null where the delivery is not settled in time; at once where too many wait, or the outlet is behind
   */
  async waitFor(outlet: string, deliveryId: string, ms: number): Promise<DeliveryState | null> {
    const queue = this.#queueOf(outlet)
    if (queue.waiting >= PER_OUTLET || queue.behind) return null
    queue.waiting++
    const { promise, resolve } = Promise.withResolvers<DeliveryState | null>()
    const timer = setTimeout(() => {
      queue.behind = true
      resolve(null)
    }, ms)
    this.#settle.set(deliveryId, resolve)
    try {
      return await promise
    } finally {
      clearTimeout(timer)
      this.#settle.delete(deliveryId)
      queue.waiting--
    }
  }

  /** What became of a delivery, for whoever waits for it. */
  settle(deliveryId: string, settled: DeliveryState | null): void {
    this.#settle.get(deliveryId)?.(settled)
  }

  /** All that was due of the outlet has its place here: who comes now is next. */
  caughtUp(outlet: string): void {
    this.#queueOf(outlet).behind = false
  }

  /** Nobody waits any more. */
  close(): void {
    for (const settle of this.#settle.values()) settle(null)
  }

  #queueOf(outlet: string): Queue {
    const known = this.#queues.get(outlet)
    if (known !== undefined) return known
    const queue = { waiting: 0, behind: false }
    this.#queues.set(outlet, queue)
    return queue
  }
}
