import type { FastifyInstance } from 'fastify'
import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client'
import type { AttemptMeasure } from '../deliveries/carrier.ts'
import type { DeliveryCount } from '../deliveries/delivery.report.ts'
import { kept } from './kept.ts'
import type { IssuerCall } from './tokens/issuer-call.ts'

/** What the gauges read when Prometheus asks. */
export type MetricsSource = {
  /** Deliveries by brand, side and state but the delivered ones, and the age of the oldest of each in seconds. */
  deliveries(): Promise<DeliveryCount[]>
  /** Whether deliveries are on hold. */
  held(): Promise<boolean>
  /** Bytes of all blobs. */
  blobBytes(): Promise<number>
  pool(): { open: number; busy: number; max: number; waiting: number }
}

const FAST = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10]
const SLOW = [0.01, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60]
/**
 * Milliseconds that an answer of the database is kept, since anyone may ask: the bytes are read from every
 * blob's row. A fault is kept as well, so that a database that is too slow is not kept busy.
 */
const KEPT = {
  deliveries: { answer: 1000, fault: 1000 },
  held: { answer: 1000, fault: 1000 },
  blobBytes: { answer: 60_000, fault: 5000 },
}
const METHODS = new Set(['GET', 'HEAD', 'POST', 'PATCH', 'OPTIONS'])

/** Every label's values are a bounded set: no person, ticket, path or text of a caller is one. */
export class Metrics {
  readonly registry = new Registry()
  readonly #requests = new Histogram({
    name: 'bellhop_http_request_duration_seconds',
    help: 'Requests by method, route and status.',
    labelNames: ['method', 'route', 'status'],
    buckets: FAST,
    registers: [this.registry],
  })
  readonly #turnedAway = new Counter({
    name: 'bellhop_http_turned_away_total',
    help: 'Requests answered with 503 before anything else was done for them, since the server was full.',
    registers: [this.registry],
  })
  readonly #accepted = new Histogram({
    name: 'bellhop_ticket_acceptance_duration_seconds',
    help: 'From a judged request to its COMMIT.',
    buckets: FAST,
    registers: [this.registry],
  })
  readonly #attempts = new Histogram({
    name: 'bellhop_delivery_attempt_duration_seconds',
    help: 'Attempts of deliveries by connector and outcome.',
    labelNames: ['connector', 'outcome'],
    buckets: SLOW,
    registers: [this.registry],
  })
  readonly #alarms = new Counter({
    name: 'bellhop_delivery_alarms_total',
    help: 'Attempts that failed for something the operator has to mend, by brand.',
    labelNames: ['brand'],
    registers: [this.registry],
  })
  readonly #issuerCalls = new Counter({
    name: 'bellhop_issuer_calls_total',
    help: 'Questions to issuers (keys, discovery, introspection) by issuer and result.',
    labelNames: ['issuer', 'result'],
    registers: [this.registry],
  })

  /** The counters stand at 0 from the start, so that the first event is a rise too. */
  constructor(known: { brandIds: string[]; issuers: string[] }) {
    for (const brand of known.brandIds) this.#alarms.inc({ brand }, 0)
    for (const issuer of known.issuers) this.#issuerCalls.inc({ issuer, result: 'answered' }, 0)
    collectDefaultMetrics({ register: this.registry, eventLoopMonitoringPrecision: 20 })
  }

  /**
   * Adds the gauges that ask the database, with what they ask.
   * @param now milliseconds of a clock that is never put back
   */
  watch(source: MetricsSource, now: () => number = () => performance.now()): void {
    const registers = [this.registry]
    // Two gauges are collected from one answer.
    const askDeliveries = kept(() => source.deliveries(), { ...KEPT.deliveries, now })
    const askHeld = kept(() => source.held(), { ...KEPT.held, now })
    const askBlobBytes = kept(() => source.blobBytes(), { ...KEPT.blobBytes, now })
    new Gauge({
      name: 'bellhop_oldest_undelivered_age_seconds',
      help: 'Age of the oldest delivery that is pending or leased, by brand and side; absent where there is none.',
      labelNames: ['brand', 'side'],
      registers,
      async collect() {
        this.reset()
        const rows = await orNothing(askDeliveries())
        const waiting = (rows ?? []).filter(({ state }) => state === 'pending' || state === 'leased')
        // Of the two states the older one is set last, and stays.
        for (const { brandId, side, oldestAge } of waiting.sort((a, b) => a.oldestAge - b.oldestAge)) {
          this.set({ brand: brandId, side }, oldestAge)
        }
      },
    })
    new Gauge({
      name: 'bellhop_deliveries',
      help: 'Deliveries that are not delivered, by brand, side and state.',
      labelNames: ['brand', 'side', 'state'],
      registers,
      async collect() {
        this.reset()
        const rows = await orNothing(askDeliveries())
        for (const { brandId, side, state, count } of rows ?? []) {
          this.set({ brand: brandId, side, state }, count)
        }
      },
    })
    new Gauge({
      name: 'bellhop_deliveries_held',
      help: '1 while deliveries are on hold, else 0.',
      registers,
      async collect() {
        const held = await orNothing(askHeld())
        if (held === null) this.remove()
        else this.set(held ? 1 : 0)
      },
    })
    new Gauge({
      name: 'bellhop_blob_bytes',
      help: 'Bytes of all attachments, the same bytes counted once.',
      registers,
      async collect() {
        const bytes = await orNothing(askBlobBytes())
        if (bytes === null) this.remove()
        else this.set(bytes)
      },
    })
    new Gauge({
      name: 'bellhop_database_pool',
      help: 'Connections to the database: open, busy, the most there can be, and statements that wait for one.',
      labelNames: ['what'],
      registers,
      collect() {
        for (const [what, value] of Object.entries(source.pool())) this.set({ what }, value)
      },
    })
  }

  request(method: string, route: string, status: number, seconds: number): void {
    this.#requests.observe({ method: METHODS.has(method) ? method : 'other', route, status }, seconds)
  }

  turnedAway(count: number): void {
    this.#turnedAway.inc(count)
  }

  accepted(seconds: number): void {
    this.#accepted.observe(seconds)
  }

  attempt({ brandId, connector, outcome, seconds, alarm }: AttemptMeasure): void {
    this.#attempts.observe({ connector, outcome }, seconds)
    if (alarm) this.#alarms.inc({ brand: brandId })
  }

  issuerCall(call: IssuerCall): void {
    this.#issuerCalls.inc({ issuer: call.issuer, result: call.fault ?? 'answered' })
  }
}

/** With the database away the gauges that ask it are absent; the others say so all the more. */
async function orNothing<T>(answer: Promise<T>): Promise<T | null> {
  try {
    return await answer
  } catch {
    return null
  }
}

export function metricsRoutes(metrics: Metrics) {
  return async (app: FastifyInstance): Promise<void> => {
    app.get('/metrics', async (_request, reply) => {
      const text = await metrics.registry.metrics()
      return reply.type(metrics.registry.contentType).send(text)
    })
  }
}
