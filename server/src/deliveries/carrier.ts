import { setTimeout as pause } from 'node:timers/promises'
import type { Connector, Outcome, Side } from '../connectors/connector.ts'
import type { Outlet } from '../connectors/registry.ts'
import type { Pass } from '../crash-points.ts'
import { isDatabaseAway } from '../database/pool.ts'
import { toId } from '../ids.ts'
import type { Log } from '../log.ts'
import { type AttachmentBytes, attachmentBytes } from './attachment-bytes.ts'
import { isAnswered, makeAttempt, NOT_BEGUN } from './attempt.ts'
import { afterAttempt } from './backoff.ts'
import type { DeliveryState, FinishedAttempt, Lease } from './delivery.store.ts'
import type { Job } from './job.ts'
import { nameOf, Outlets, type Place, type Places } from './outlets.ts'
import { Waiters } from './waiters.ts'

const RENEW_EVERY_MS = 10_000

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

type Running = { job: Job; place: Place; abort: AbortController; lost: boolean }

/**
 * What this process carries at the moment: attempts within their bounds, their leases kept alive, and each
 * end written down, fenced by the lease.
 */
export class Carrier {
  readonly #outlets: Outlets
  readonly #store: CarrierStore
  readonly #log: Log
  readonly #observe: AttemptObserver
  readonly #random: () => number
  readonly #pass: Pass
  readonly #running = new Map<string, Running>()
  readonly #waiters = new Waiters()
  readonly #timer: NodeJS.Timeout
  readonly #stopping = new AbortController()
  #closing = false

  constructor(deps: {
    outlets: Outlet[]
    store: CarrierStore
    log: Log
    observe: AttemptObserver
    random: () => number
    now: () => number
    pass: Pass
    /** Milliseconds between renewals of the leases; 10,000 unless told. */
    renewEvery?: number
    /** Bytes of attachments at once; 64 MiB unless told. */
    attachmentBytes?: AttachmentBytes
  }) {
    this.#outlets = new Outlets(deps.outlets, deps.now, deps.attachmentBytes)
    this.#store = deps.store
    this.#log = deps.log
    this.#observe = deps.observe
    this.#random = deps.random
    this.#pass = deps.pass
    this.#timer = setInterval(() => void this.#renew(), deps.renewEvery ?? RENEW_EVERY_MS)
    this.#timer.unref()
  }

  /** Called when a place becomes free. */
  set onFree(hear: (outlet: Outlet) => void) {
    this.#outlets.onFree = hear
  }

  /** Of a brand's desk, or of the mail to its customers. */
  connectorOf(brandId: string, side: Side = 'desk'): Connector {
    return this.#outlets.of(brandId, side).connector
  }

  free(): Places {
    return this.#outlets.free()
  }

  /** The ids of the deliveries that are attempted here, or whose attempt is still to be written down. */
  underWay(): string[] {
    return [...this.#running.keys()]
  }

  /**
   * Takes a place for one attempt of an outlet, or says by null that there is none now.
   * @param bytes of its attachments
   * @returns a place that {@link carry} or {@link leave} must follow
   */
  take(brandId: string, side: Side, bytes: number): Place | null {
    return this.#outlets.take(brandId, side, bytes)
  }

  /** Takes a place for a delivery that was claimed; {@link carry} must follow. */
  occupy(brandId: string, side: Side): Place {
    return this.#outlets.occupy(brandId, side)
  }

  /** Gives back a place that no attempt came to use. */
  leave(place: Place): void {
    this.#outlets.leave(place)
  }

  /** Attempts a delivery whose lease this process holds, in a place taken before, and writes down its end. */
  carry(job: Job, place: Place): Promise<Settled> {
    const running: Running = { job, place, abort: new AbortController(), lost: false }
    this.#running.set(job.deliveryId, running)
    return this.#attempt(running).finally(() => {
      if (this.#isLatest(running)) this.#running.delete(job.deliveryId)
      this.#outlets.leave(place)
    })
  }

  /**
   * Waits until this process has settled a delivery that it has not begun yet.
   * @param ms the longest wait
   * @returns null where it is not settled in time; at once where that is known: the desk is left alone, too
   *   many wait already, or the outlet is behind
   */
  async waitFor(brandId: string, side: Side, deliveryId: string, ms: number): Promise<Settled> {
    const outlet = this.#outlets.of(brandId, side)
    if (this.#closing || outlet.breaker.isOpen) return null
    return this.#waiters.waitFor(nameOf(outlet), deliveryId, ms)
  }

  /** All that was due of the outlet has its place here. */
  caughtUp(outlet: Outlet): void {
    this.#waiters.caughtUp(nameOf(outlet))
  }

  /**
   * Takes no more, waits for what is in flight, ends what is not over in time, and gives back the leases.
   * @param lastClaim the end of a claim that was under way: what it brings is carried too
   */
  async close(graceMs: number, lastClaim: Promise<void>): Promise<void> {
    this.#closing = true
    this.#outlets.close()
    const abort = setTimeout(() => this.#stopping.abort(), graceMs)
    const giveUp = new AbortController()
    const late = pause(graceMs + 1000, undefined, { signal: giveUp.signal }).catch(() => {})
    await Promise.race([lastClaim.then(() => this.#outlets.untilIdle()), late])
    giveUp.abort()
    clearTimeout(abort)
    clearInterval(this.#timer)
    const held = [...this.#running.values()].map(({ job }) => job)
    if (held.length > 0)
      await this.#store.release(held).catch((error) => this.#log.fault('leases_not_released', error))
    this.#waiters.close()
  }

  async #attempt(running: Running): Promise<Settled> {
    const { job, place } = running
    const { connector, breaker } = place.outlet
    const signal = AbortSignal.any([running.abort.signal, this.#stopping.signal])
    const hasRoom = await this.#outlets.makeRoom(place, attachmentBytes(job.message), signal)
    const started = performance.now()
    this.#pass('before_attempt')
    const { result, asked } = hasRoom ? await makeAttempt(connector, job, signal, this.#log) : NOT_BEGUN
    this.#pass('after_attempt')
    const durationMs = Math.round(performance.now() - started)
    if (asked) breaker.end(place.turn, isAnswered(job, result))
    const { brandId, deliveryId, attempt } = job
    const { outcome, code, alarm } = result
    const measured = { connector: connector.name, outcome, code, alarm, seconds: durationMs / 1000 }
    this.#observe({ brandId, deliveryId, ticketId: job.message.ticketId, attempt, ...measured })
    const next = afterAttempt(result, attempt - job.retriedAfter, this.#random)
    const end = { brandId, deliveryId, attempt, durationMs, ...next }
    const settled = await this.#finish(running, {
      ...end,
      outcome: result.outcome,
      code: result.code,
      answer: result.answer,
      addressRefused: result.addressRefused === true,
    })
    const level = result.alarm || settled === 'rejected' || settled === 'dead' ? 'warn' : 'info'
    this.#log[level]('attempt', {
      brand_id: brandId,
      delivery_id: toId('dlv', deliveryId),
      attempt,
      connector: connector.name,
      outcome: result.outcome,
      code: result.code,
      state: settled,
      ms: durationMs,
    })
    this.#waiters.settle(deliveryId, settled)
    return settled
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
    const held = [...this.#running.values()]
    if (held.length === 0) return
    try {
      const kept = await this.#store.renew(held.map(({ job }) => job))
      for (const running of held) {
        if (!this.#isLatest(running) || kept.has(running.job.deliveryId)) continue
        running.lost = true
        running.abort.abort()
      }
    } catch (error) {
      this.#log.fault('leases_not_renewed', error)
    }
  }

  /** Should a delivery be taken up again while an attempt of it is still under way, the newer one counts. */
  #isLatest(running: Running): boolean {
    return this.#running.get(running.job.deliveryId) === running
  }
}
