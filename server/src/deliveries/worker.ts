import type { Log } from '../log.ts'
import type { Carrier } from './carrier.ts'
import type { Job } from './job.ts'
import { nameOf, type Places } from './outlets.ts'

const POLL_MS = 1000
const POLL_WHILE_AWAY_MS = 3000

export type Claim = (free: Places) => Promise<Job[]>

/**
 * The loop that claims what is due and hands it to the carrier. It wakes by a timer with jitter, and at once
 * when this process has new work or a place becomes free while more may wait.
 */
export class Worker {
  readonly #carrier: Carrier
  readonly #claim: Claim
  readonly #log: Log
  readonly #random: () => number
  readonly #full = new Set<string>()
  #woken = false
  #wake: () => void = () => {}
  #stopped = false
  #done: Promise<void> = Promise.resolve()

  constructor(deps: { carrier: Carrier; claim: Claim; log: Log; random: () => number }) {
    this.#carrier = deps.carrier
    this.#claim = deps.claim
    this.#log = deps.log
    this.#random = deps.random
  }

  start(): void {
    this.#carrier.onFree = (outlet) => {
      if (this.#full.has(nameOf(outlet))) this.wake()
    }
    this.#done = this.#run()
  }

  /** There is work: look now. */
  wake(): void {
    this.#woken = true
    this.#wake()
  }

  /** Claims no more. What was claimed is the carrier's. */
  async stop(): Promise<void> {
    this.#stopped = true
    this.wake()
    await this.#done
  }

  async #run(): Promise<void> {
    let away = false
    while (!this.#stopped) {
      this.#woken = false
      try {
        await this.#claimOnce()
        if (away) this.#log.info('worker_back')
        away = false
      } catch (error) {
        if (!away) this.#log.fault('worker_cannot_claim', error)
        away = true
      }
      // While the database is away new work does not make it come back sooner.
      if (away) this.#woken = false
      await this.#sleep(away ? POLL_WHILE_AWAY_MS : POLL_MS)
    }
  }

  async #claimOnce(): Promise<void> {
    const free = this.#carrier.free()
    if (free.ofOutlet.length === 0) return
    const jobs = await this.#claim(free)
    for (const { outlet, places } of free.ofOutlet) {
      const name = nameOf(outlet)
      const claimed = jobs.filter((job) => job.brandId === outlet.brandId && job.message.side === outlet.side)
      // Every place was filled, so more may wait.
      if (claimed.length >= places || jobs.length >= free.inAll) {
        this.#full.add(name)
        continue
      }
      this.#full.delete(name)
      this.#carrier.caughtUp(outlet)
    }
    for (const job of jobs) {
      void this.#carrier.carry(job, this.#carrier.occupy(job.brandId, job.message.side))
    }
  }

  #sleep(ms: number): Promise<void> {
    if (this.#woken || this.#stopped) return Promise.resolve()
    const { promise, resolve } = Promise.withResolvers<void>()
    const timer = setTimeout(resolve, ms * (0.8 + 0.4 * this.#random()))
    this.#wake = () => {
      clearTimeout(timer)
      resolve()
    }
    return promise
  }
}
