import { randomBytes } from 'node:crypto'
import type { Server } from 'node:http'
import { hostname } from 'node:os'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import type { FastifyInstance } from 'fastify'
import { buildApp, type HttpTimeouts } from './app.ts'
import { sumBlobs } from './blobs/blob.store.ts'
import { BlobFolder } from './blobs/blob-folder.ts'
import type { Config } from './config.ts'
import type { Connector } from './connectors/connector.ts'
import { mailDomain } from './connectors/message-id.ts'
import { createConnector } from './connectors/registry.ts'
import { pass as neverCrash, type Pass } from './crash-points.ts'
import { type Database, type DatabaseEndpoint, openDatabase } from './database/pool.ts'
import { type AttemptMeasure, Carrier } from './deliveries/carrier.ts'
import { countDeliveries } from './deliveries/delivery.report.ts'
import {
  type ClaimRequest,
  claimDeliveries,
  finishAttempt,
  releaseLeases,
  renewLeases,
} from './deliveries/delivery.store.ts'
import { toJob } from './deliveries/job.ts'
import { Upkeep } from './deliveries/upkeep.ts'
import { Worker } from './deliveries/worker.ts'
import type { AdmissionLimits } from './http/admission.ts'
import { Metrics } from './http/metrics.ts'
import { createReadiness } from './http/readiness.ts'
import { logIssuers } from './http/tokens/issuer-log.ts'
import { createTokenJudge } from './http/tokens/tokens.ts'
import { toId } from './ids.ts'
import type { Log } from './log.ts'
import { KeysInFlight } from './tickets/idempotency.ts'
import { Intake } from './tickets/intake.ts'
import { TicketService } from './tickets/ticket.service.ts'
import { startTracing, type Traced } from './tracing.ts'
import { VERSION } from './version.ts'

/** Milliseconds that a statement of the deliveries may take. */
const DELIVERY_STATEMENT_MS = 10_000
/** Milliseconds that the gauges wait for the database, so that the other metrics come in time without it. */
const METRICS_STATEMENT_MS = 2000
const GRACE_MS = 7000
/** Milliseconds in which those who have just connected are still heard. */
const LINGER_MS = 300
/** Milliseconds for the answers that waited for it. */
const LAST_ANSWERS_MS = 300
/** Milliseconds for the last traces, whether their collector answers or not. */
const TRACES_MS = 1000

/** Milliseconds that a statement waits for a table, less than a ticket waits for the database (5 s). */
const LOCK_MS = 4500

/** What this process does: answer requests, carry what is due, or both. */
export type Roles = { api: boolean; worker: boolean }

export type ComposeDeps = {
  config: Config
  endpoint: DatabaseEndpoint
  roles: Roles
  log: Log
  /** For what OTEL_ says of traces; none unless given. */
  env?: NodeJS.ProcessEnv
  /** Epoch milliseconds. */
  now?: () => number
  random?: () => number
  /** Only tests of crashes have one. */
  pass?: Pass
  /** Milliseconds between renewals of the leases. */
  renewEvery?: number
  /** Milliseconds for what is in flight when the process is told to stop; 7,000 unless told. */
  grace?: number
  timeouts?: HttpTimeouts
  /** What may be in flight at once. */
  inFlight?: AdmissionLimits
}

export type Bellhop = {
  /** Null for a worker that nobody watches. */
  app: FastifyInstance<Server> | null
  database: Database
  /** Begins to carry what is due. */
  start(): void
  /** Accepts no more, finishes what is in flight, gives back the leases. At most about 9 s. */
  close(): Promise<void>
}

/** Builds everything once, from the configuration to a program that runs; the one place that says who gets what. */
export async function compose(deps: ComposeDeps): Promise<Bellhop> {
  const {
    config,
    endpoint,
    roles,
    log,
    now = Date.now,
    random = Math.random,
    pass = neverCrash,
    timeouts,
  } = deps
  const { environment } = config
  const { brands, issuers } = config.brands
  const holder = `${hostname()}:${process.pid}:${randomBytes(4).toString('hex')}`
  const applicationName = roles.api ? (roles.worker ? 'bellhop start' : 'bellhop api') : 'bellhop worker'
  const database = openDatabase(endpoint, {
    max: environment.databasePool,
    applicationName,
    lockTimeout: LOCK_MS,
  })
  const run: typeof database.run = (ms, work) => database.run(ms, work)
  const blobs = new BlobFolder(join(environment.dataDir, 'blobs'), now)
  const connectors = new Map(
    brands.map((brand): [string, Connector] => [brand.id, createConnector(brand, { now })]),
  )
  const metrics = new Metrics({
    brandIds: brands.map((brand) => brand.id),
    issuers: issuers.map((issuer) => issuer.issuer),
  })
  const tracing = await startTracing(deps.env ?? {}, VERSION)
  metrics.watch({
    deliveries: () => run(METRICS_STATEMENT_MS, countDeliveries),
    blobBytes: () => run(METRICS_STATEMENT_MS, sumBlobs),
    pool: () => database.use(),
  })

  const carrier = new Carrier({
    brands,
    connectors,
    store: {
      finish: (end) => run(DELIVERY_STATEMENT_MS, (sql) => finishAttempt(sql, holder, end)),
      renew: (leases) => run(DELIVERY_STATEMENT_MS, (sql) => renewLeases(sql, holder, leases)),
      release: (leases) => run(DELIVERY_STATEMENT_MS, (sql) => releaseLeases(sql, holder, leases)),
    },
    log,
    observe: (attempt) => {
      metrics.attempt(attempt)
      tracing.record(tracedAttempt(attempt))
    },
    random,
    now: () => performance.now(),
    pass,
    ...(deps.renewEvery === undefined ? {} : { renewEvery: deps.renewEvery }),
  })
  const desks = new Map(
    brands.map(({ id, desk }) => [id, { connector: desk.connector, mailDomain: mailDomain(desk) }]),
  )
  const worker = new Worker({
    carrier,
    claim: async (free) => {
      const requests = [...free.ofBrand].flatMap(([brandId, limit]): ClaimRequest[] => {
        const desk = desks.get(brandId)
        return desk ? [{ brandId, limit, ...desk }] : []
      })
      const rows = await run(DELIVERY_STATEMENT_MS, (sql) =>
        claimDeliveries(sql, holder, requests, free.inAll, carrier.underWay()),
      )
      return rows.map((row) => toJob(row, blobs))
    },
    log,
    random,
  })
  const upkeep = new Upkeep({ database, blobs, log, random, underWay: () => carrier.underWay() })

  const logIssuerCall = logIssuers(log)
  const judge = roles.api
    ? createTokenJudge({
        issuers,
        now,
        onIssuerCall: (call) => {
          metrics.issuerCall(call)
          logIssuerCall(call)
        },
      })
    : null
  const service = new TicketService({
    database,
    intake: new Intake(database),
    blobs,
    brands: new Map(brands.map((brand) => [brand.id, brand])),
    carrier,
    keys: new KeysInFlight(),
    holder,
    limits: { text: environment.limits.textBytes, attachment: environment.limits.attachmentBytes },
    wakeWorker: roles.worker ? () => worker.wake() : null,
    observe: (seconds) => metrics.accepted(seconds),
    pass,
  })
  const app =
    judge !== null || environment.workerPort !== null
      ? await buildApp({
          version: VERSION,
          tickets: judge === null ? null : { service, judge: judge.judge },
          readiness: createReadiness({ database, blobs, lastOutage: () => service.lastOutage }),
          metrics,
          tracing,
          log,
          origins: new Set(brands.flatMap((brand) => brand.origins)),
          maxRequestBytes: environment.limits.requestBytes,
          ...(timeouts ? { timeouts } : {}),
          ...(deps.inFlight ? { inFlight: deps.inFlight } : {}),
        })
      : null

  return {
    app,
    database,
    start() {
      if (!roles.worker) return
      worker.start()
      upkeep.start()
    },
    async close() {
      const { grace = GRACE_MS } = deps
      const lastClaim = worker.stop()
      const drained = Promise.all([app && leave(app), lastClaim, upkeep.stop()])
      await Promise.all([carrier.close(grace, lastClaim), atMost(grace, drained)])
      await atMost(LAST_ANSWERS_MS, drained)
      // A body that is still on its way, or a caller who does not read.
      app?.server.closeAllConnections()
      await atMost(LAST_ANSWERS_MS, drained)
      await Promise.all([judge?.close(), ...[...connectors.values()].map((connector) => connector.close())])
      await Promise.all([
        database.close(),
        atMost(
          TRACES_MS,
          tracing.close().catch(() => undefined),
        ),
      ])
    },
  }
}

/**
 * Stops listening, but not before those who have just connected were answered: a request that the kernel had
 * taken would be reset. Whoever keeps a connection is told by the answer that it is the last.
 */
async function leave(app: FastifyInstance<Server>): Promise<void> {
  app.server.prependListener('request', (_request, response) => response.setHeader('connection', 'close'))
  await pause(LINGER_MS)
  await app.close()
}

async function atMost(ms: number, work: Promise<unknown>): Promise<void> {
  const { promise: late, resolve } = Promise.withResolvers<void>()
  const timer = setTimeout(resolve, ms)
  await Promise.race([work, late]).finally(() => clearTimeout(timer))
}

function tracedAttempt({ connector, seconds, outcome, ...attempt }: AttemptMeasure): Traced {
  return {
    name: `deliver by ${connector}`,
    kind: 'attempt',
    ms: seconds * 1000,
    attributes: {
      'bellhop.brand_id': attempt.brandId,
      'bellhop.ticket_id': attempt.ticketId,
      'bellhop.delivery_id': toId('dlv', attempt.deliveryId),
      'bellhop.attempt': attempt.attempt,
      'bellhop.outcome': outcome,
      'bellhop.code': attempt.code,
    },
    failed: outcome !== 'delivered',
  }
}
