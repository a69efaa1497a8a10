import { setTimeout as pause } from 'node:timers/promises'
import type { Brand } from '../config.ts'
import type { AttemptResult, Connector, Outcome, OutgoingMessage } from '../connectors/connector.ts'
import type { Pass } from '../crash-points.ts'
import { isDatabaseAway } from '../database/pool.ts'
import { toId } from '../ids.ts'
import type { Log } from '../log.ts'
import { afterAttempt } from './backoff.ts'
import { Breaker } from './breaker.ts'
import type { DeliveryState, FinishedAttempt, Lease } from './delivery.store.ts'

/** Attempts of one brand at once in one process. */
const PER_BRAND = 5
/** Requests of one brand that wait for a place; the next ones are answered without waiting. */
const WAITING_PER_BRAND = 50
/** Attempts at once in one process. */
const IN_ALL = 100
/** An attempt that has not ended by itself after this is ended, in milliseconds. */
const ATTEMPT_LIMIT_MS = 58_000
const RENEW_EVERY_MS = 10_000

export type Job = Lease & { message: OutgoingMessage }

/** What became of a message: the delivery's state, or null where another process has it now. */
export type Settled = DeliveryState | null

export type CarrierStore = {
  finish(end: FinishedAttempt): Promise<DeliveryState | null>
  renew(leases: Lease[]): Promise<Set<string>>
  release(leases: Lease[]): Promise<void>
}

/** An attempt that ended; `alarm` where the operator has something to mend. */
export type AttemptMeasure = {
  brandId: string
  deliveryId: string
  ticketId: string
  /** Its number, from 1. */
  attempt: number
  connector: string
  outcome: Outcome
  code: string
  seconds: number
  alarm: boolean
}
export type AttemptObserver = (attempt: AttemptMeasure) => void

/** How many attempts may begin now: of each brand that has a place, and of all together. */
export type Places = { ofBrand: Map<string, number>; inAll: number }

type Desk = { brand: Brand; connector: Connector; breaker: Breaker; running: number; waiting: number }
type Running = { job: Job; abort: AbortController; lost: boolean }

/**
 * What this process carries at the moment: attempts within their bounds, their leases kept alive, and each
 * end written down, fenced by the lease.
 */
export class Carrier {
  readonly #desks: Map<string, Desk>
  readonly #store: CarrierStore
  readonly #log: Log
  readonly #observe: AttemptObserver
  readonly #random: () => number
  readonly #pass: Pass
  readonly #running = new Map<string, Running>()
  readonly #waiting = new Map<string, (settled: Settled) => void>()
  readonly #timer: NodeJS.Timeout
  readonly #stopping = new AbortController()
  #slots = 0
  #turn = 0
  #closing = false
  #onIdle: () => void = () => {}
  /** Called when a place becomes free; the worker sets it. */
  onFree: (brandId: string) => void = () => {}

  constructor(deps: {
    brands: Brand[]
    connectors: Map<string, Connector>
    store: CarrierStore
    log: Log
    observe: AttemptObserver
    random: () => number
    now: () => number
    pass: Pass
    /** Milliseconds between renewals of the leases; 10,000 unless told. */
    renewEvery?: number
  }) {
    this.#desks = new Map(
      deps.brands.flatMap((brand) => {
        const connector = deps.connectors.get(brand.id)
        return connector
          ? [[brand.id, { brand, connector, breaker: new Breaker(deps.now), running: 0, waiting: 0 }]]
          : []
      }),
    )
    this.#store = deps.store
    this.#log = deps.log
    this.#observe = deps.observe
    this.#random = deps.random
    this.#pass = deps.pass
    this.#timer = setInterval(() => void this.#renew(), deps.renewEvery ?? RENEW_EVERY_MS)
    this.#timer.unref()
  }

  connectorOf(brandId: string): Connector {
    return this.#desk(brandId).connector
  }

  /**
   * What may begin now. Each time another brand comes first, so that with more brands than places none is
   * always the last.
   */
  free(): Places {
    const inAll = this.#closing ? 0 : Math.max(0, IN_ALL - this.#slots)
    const desks = [...this.#desks]
    this.#turn = (this.#turn + 1) % Math.max(1, desks.length)
    const ofBrand = new Map<string, number>()
    for (const [brandId, desk] of [...desks.slice(this.#turn), ...desks.slice(0, this.#turn)]) {
      const places = Math.min(desk.breaker.allow(PER_BRAND - desk.running), inAll)
      if (places > 0) ofBrand.set(brandId, places)
    }
    return { ofBrand, inAll }
  }

  /**
   * Takes a place for one attempt of the brand, or says that there is none now.
   * @returns whether {@link carry} or {@link leave} must follow
   */
  take(brandId: string): boolean {
    const desk = this.#desks.get(brandId)
    if (desk === undefined || this.#closing || this.#slots >= IN_ALL) return false
    if (desk.breaker.allow(PER_BRAND - desk.running) < 1) return false
    this.occupy(brandId)
    return true
  }

  /**
   * Takes a place for a delivery that was claimed. A ticket may have come between the look at what is free
   * and the claim, so a brand may for a moment have more than its places.
   */
  occupy(brandId: string): void {
    const desk = this.#desk(brandId)
    desk.breaker.begin()
    desk.running++
    this.#slots++
  }

  /** Gives back a place that no attempt came to use. */
  leave(brandId: string): void {
    const desk = this.#desk(brandId)
    desk.breaker.cancel()
    this.#free(desk)
  }

  /** Attempts a delivery whose lease this process holds, in a place taken before, and writes down its end. */
  carry(job: Job): Promise<Settled> {
    const desk = this.#desk(job.brandId)
    const running: Running = { job, abort: new AbortController(), lost: false }
    this.#running.set(job.deliveryId, running)
    return this.#attempt(desk, running).finally(() => {
      this.#running.delete(job.deliveryId)
      this.#free(desk)
    })
  }

  /**
   * Waits until this process has settled a delivery that it has not begun yet.
   * @param ms the longest wait
   * @returns null where it is not settled in time, or too many wait already
   */
  async waitFor(brandId: string, deliveryId: string, ms: number): Promise<Settled> {
    const desk = this.#desk(brandId)
    if (desk.waiting >= WAITING_PER_BRAND || desk.breaker.isOpen || this.#closing) return null
    desk.waiting++
    const { promise, resolve } = Promise.withResolvers<Settled>()
    const timer = setTimeout(resolve, ms, null)
    this.#waiting.set(deliveryId, resolve)
    try {
      return await promise
    } finally {
      clearTimeout(timer)
      this.#waiting.delete(deliveryId)
      desk.waiting--
    }
  }

  /**
   * Takes no more, waits for what is in flight, ends what is not over in time, and gives back the leases.
   * @param lastClaim the end of a claim that was under way: what it brings is carried too
   */
  async close(graceMs: number, lastClaim: Promise<void>): Promise<void> {
    this.#closing = true
    const abort = setTimeout(() => this.#stopping.abort(), graceMs)
    const giveUp = new AbortController()
    const late = pause(graceMs + 1000, undefined, { signal: giveUp.signal }).catch(() => {})
    await Promise.race([lastClaim.then(() => this.#untilIdle()), late])
    giveUp.abort()
    clearTimeout(abort)
    clearInterval(this.#timer)
    const held = this.#held()
    if (held.length > 0)
      await this.#store.release(held).catch((error) => this.#log.fault('leases_not_released', error))
    for (const settle of this.#waiting.values()) settle(null)
  }

  /** Until no place is taken: neither by an attempt, nor by a ticket that is not committed yet. */
  #untilIdle(): Promise<void> {
    if (this.#slots === 0) return Promise.resolve()
    const { promise, resolve } = Promise.withResolvers<void>()
    this.#onIdle = resolve
    return promise
  }

  async #attempt(desk: Desk, running: Running): Promise<Settled> {
    const { job } = running
    const started = performance.now()
    this.#pass('before_attempt')
    const result = await this.#send(desk, running)
    this.#pass('after_attempt')
    const durationMs = Math.round(performance.now() - started)
    desk.breaker.end(result.outcome === 'delivered' || result.outcome === 'permanent')
    const { brandId, deliveryId, attempt } = job
    const { outcome, code, alarm } = result
    const measured = { connector: desk.connector.name, outcome, code, alarm, seconds: durationMs / 1000 }
    this.#observe({ brandId, deliveryId, ticketId: job.message.ticketId, attempt, ...measured })
    const end = { brandId, deliveryId, attempt, durationMs, ...afterAttempt(result, attempt, this.#random) }
    const settled = await this.#finish(running, {
      ...end,
      outcome: result.outcome,
      code: result.code,
      answer: result.answer,
    })
    const level = result.alarm || settled === 'rejected' || settled === 'dead' ? 'warn' : 'info'
    this.#log[level]('attempt', {
      brand_id: brandId,
      delivery_id: toId('dlv', deliveryId),
      attempt,
      connector: desk.connector.name,
      outcome: result.outcome,
      code: result.code,
      state: settled,
      ms: durationMs,
    })
    this.#waiting.get(deliveryId)?.(settled)
    return settled
  }

  async #send(desk: Desk, { job, abort }: Running): Promise<AttemptResult> {
    const limit = AbortSignal.timeout(ATTEMPT_LIMIT_MS)
    try {
      return await desk.connector.send(
        job.message,
        AbortSignal.any([abort.signal, this.#stopping.signal, limit]),
      )
    } catch (error) {
      // A connector does not throw for what a desk may do: this is a bug or a blob that cannot be read.
      this.#log.fault('attempt_failed', error, {
        brand_id: job.brandId,
        delivery_id: toId('dlv', job.deliveryId),
      })
      return { outcome: 'uncertain', code: 'internal_error', answer: null, retryAfter: null, alarm: true }
    }
  }

  /** The end of an attempt is worth waiting for the database: forgotten, it would be made again. */
  async #finish(running: Running, end: FinishedAttempt): Promise<Settled> {
    for (let wait = 100; ; wait = Math.min(wait * 2, 5000)) {
      try {
        return await this.#store.finish(end)
      } catch (error) {
        if (!isDatabaseAway(error) || running.lost || this.#closing) {
          this.#log.fault('attempt_not_written', error, {
            brand_id: end.brandId,
            delivery_id: toId('dlv', end.deliveryId),
          })
          return null
        }
        await pause(wait)
      }
    }
  }

  async #renew(): Promise<void> {
    const held = this.#held()
    if (held.length === 0) return
    try {
      const kept = await this.#store.renew(held)
      for (const { deliveryId } of held) {
        const running = this.#running.get(deliveryId)
        if (running === undefined || kept.has(deliveryId)) continue
        running.lost = true
        running.abort.abort()
      }
    } catch (error) {
      this.#log.fault('leases_not_renewed', error)
    }
  }

  #desk(brandId: string): Desk {
    const desk = this.#desks.get(brandId)
    if (desk === undefined) throw new Error('a delivery of a brand that is not configured')
    return desk
  }

  #held(): Lease[] {
    return [...this.#running.values()].map(({ job }) => job)
  }

  #free(desk: Desk): void {
    desk.running--
    this.#slots--
    this.onFree(desk.brand.id)
    if (this.#slots === 0) this.#onIdle()
  }
}
