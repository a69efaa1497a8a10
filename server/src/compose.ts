import { randomBytes } from 'node:crypto'
import type { Server } from 'node:http'
import { hostname } from 'node:os'
import { join } from 'node:path'
import type { FastifyInstance } from 'fastify'
import { buildApp, type HttpTimeouts } from './app.ts'
import type { BackupSchedule } from './backup/schedule.ts'
import { scheduleBackups } from './backup/scheduled.ts'
import { sumBlobs } from './blobs/blob.store.ts'
import { BlobFolder } from './blobs/blob-folder.ts'
import type { Config } from './config.ts'
import { createOutlets } from './connectors/registry.ts'
import { CLOSED_AT_ONCE, closeSolved } from './conversation/close-solved.ts'
import type { ConversationDeps } from './conversation/conversation.ts'
import { pass as neverCrash, type Pass } from './crash-points.ts'
import { type Database, type DatabaseEndpoint, openDatabase } from './database/pool.ts'
import { createCarriage } from './deliveries/carriage.ts'
import { countDeliveries } from './deliveries/delivery.report.ts'
import { heldSince } from './deliveries/hold.ts'
import { tracedAttempt } from './deliveries/traced-attempt.ts'
import { DeskService } from './desk/desk.service.ts'
import { EventStreams, type StreamTimes } from './events/event-streams.ts'
import { Seats } from './events/seats.ts'
import type { AdmissionLimits } from './http/admission.ts'
import { BackupMetrics } from './http/backup-metrics.ts'
import { closeDoor } from './http/close-door.ts'
import { EventStreamMetrics } from './http/event-stream-metrics.ts'
import { InboundMetrics } from './http/inbound-metrics.ts'
import { InboundWaysMetrics } from './http/inbound-ways-metrics.ts'
import { Metrics } from './http/metrics.ts'
import { createReadiness } from './http/readiness.ts'
import { logIssuers } from './http/tokens/issuer-log.ts'
import { createTokenJudge } from './http/tokens/tokens.ts'
import { countWaiting } from './inbound/quarantine.store.ts'
import type { Resolve } from './inbound/reading/authentication.ts'
import { createSystemDns } from './inbound/reading/system-dns.ts'
import { createSettler, sweepOfRawMail } from './inbound/settling.ts'
import { createWaysIn } from './inbound/ways-in.ts'
import type { Log } from './log.ts'
import { readOrMakeSecret } from './secrets.ts'
import { Intake } from './tickets/intake.ts'
import { createTicketServices } from './tickets/services.ts'
import { startTracing } from './tracing.ts'
import { VERSION } from './version.ts'

/** Milliseconds that the gauges wait for the database, so that the other metrics come in time without it. */
const METRICS_STATEMENT_MS = 2000
const GRACE_MS = 7000
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
  /** Milliseconds between two rounds of what a worker does beside carrying; the upkeep's own unless told. */
  upkeepEvery?: number
  /** Milliseconds between looks whether a backup is due; a minute unless told. */
  backupLook?: number
  /** Milliseconds for what is in flight when the process is told to stop; 7,000 unless told. */
  grace?: number
  timeouts?: HttpTimeouts
  /** What may be in flight at once. */
  inFlight?: AdmissionLimits
  /** Milliseconds by which the event loop may be late. */
  lateMs?: number
  /** What DNS says of those who send mail; the machine's own unless told. */
  resolve?: Resolve
  /** Of the event streams; as they are unless told. */
  streamTimes?: Partial<StreamTimes>
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
  const outlets = brands.flatMap((brand) => createOutlets(brand, { now }))
  const metrics = new Metrics({
    brandIds: brands.map((brand) => brand.id),
    issuers: issuers.map((issuer) => issuer.issuer),
  })
  const tracing = await startTracing(deps.env ?? {}, VERSION)
  metrics.watch({
    deliveries: () => run(METRICS_STATEMENT_MS, countDeliveries),
    held: async () => (await run(METRICS_STATEMENT_MS, heldSince)) !== null,
    blobBytes: () => run(METRICS_STATEMENT_MS, sumBlobs),
    pool: () => database.use(),
  })

  const conversation: ConversationDeps = {
    brands: new Map(brands.map((brand) => [brand.id, brand])),
    connectorOf: (brandId) => carrier.connectorOf(brandId, 'desk'),
  }
  const { carrier, worker, upkeep, databaseClock } = createCarriage({
    outlets,
    database,
    blobs,
    holder,
    log,
    observe: (attempt) => {
      metrics.attempt(attempt)
      tracing.record(tracedAttempt(attempt))
    },
    random,
    pass,
    renewEvery: deps.renewEvery,
    upkeepEvery: deps.upkeepEvery,
    chores: [
      {
        event: 'tickets_closed',
        atOnce: CLOSED_AT_ONCE,
        some: (sql) => closeSolved(sql, conversation, environment.closeSolvedAfter),
      },
      sweepOfRawMail(environment.inboundKeep),
    ],
  })

  let backups: BackupSchedule | null = null
  if (roles.worker && environment.backups !== null) {
    const measured = new BackupMetrics(metrics.registry, () => backups?.age ?? null)
    backups = scheduleBackups(environment.backups, {
      endpoint,
      blobs,
      observe: (end) => measured.ended(end),
      log,
      random,
      now,
      look: deps.backupLook,
    })
  }

  const waysIn = createWaysIn({
    brands,
    database,
    blobs,
    holder,
    reads: roles.worker,
    onKept: (mail) => {
      waysMetrics.kept(mail)
      if (roles.worker) settler.wake()
    },
    log,
    random,
  })
  const waysMetrics = new InboundWaysMetrics(
    metrics.registry,
    brands.map((brand) => brand.id),
    () => waysIn.ages(),
  )
  const inboundMetrics = new InboundMetrics(
    metrics.registry,
    brands.map((brand) => brand.id),
    () => run(METRICS_STATEMENT_MS, countWaiting),
  )
  const settler = createSettler({
    brands: conversation.brands,
    conversation,
    database,
    blobs,
    holder,
    textBytes: environment.limits.textBytes,
    resolve: deps.resolve ?? createSystemDns(),
    observe: (settled) => inboundMetrics.settled(settled),
    onPromise: () => worker.wake(),
    log,
    random,
    pass,
  })

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
  const intake = new Intake(database)
  const signingSecret =
    environment.signingSecret ?? (await readOrMakeSecret(environment.dataDir, 'signing-secret'))
  const limits = { text: environment.limits.textBytes, attachment: environment.limits.attachmentBytes }
  const wakeWorker = roles.worker ? () => worker.wake() : null
  const tickets = createTicketServices({
    database,
    intake,
    blobs,
    brands: conversation.brands,
    conversation,
    carrier,
    signingSecret,
    holder,
    limits,
    wakeWorker,
    observe: (seconds) => metrics.accepted(seconds),
    pass,
  })
  const deskService = new DeskService({ ...tickets.onceDeps, blobs, conversation, limits, wakeWorker })
  const streams =
    judge &&
    new EventStreams({
      run,
      judge: judge.judge,
      secret: signingSecret,
      now,
      random,
      log,
      ...(deps.streamTimes ? { times: deps.streamTimes } : {}),
    })
  const streamMetrics = new EventStreamMetrics(metrics.registry, () => streams?.count ?? 0)
  const stopping = new AbortController()
  const app =
    judge !== null || environment.workerPort !== null
      ? await buildApp({
          version: VERSION,
          desk: judge === null ? null : { brands: conversation.brands, service: deskService, now },
          inbound: judge === null ? null : { brands: conversation.brands, keeper: waysIn.keeper, now },
          tickets: judge === null ? null : { ...tickets, judge: judge.judge },
          events: streams && {
            streams,
            seats: new Seats(environment.eventStreams),
            reader: tickets.reader,
            observe: (end) => streamMetrics.ended(end),
          },
          readiness: createReadiness({ database, blobs, lastOutage: tickets.lastOutage }),
          metrics,
          tracing,
          log,
          origins: new Set(brands.flatMap((brand) => brand.origins)),
          keeping: () => intake.waiting,
          maxRequestBytes: environment.limits.requestBytes,
          stopping: stopping.signal,
          ...(timeouts ? { timeouts } : {}),
          ...(deps.inFlight ? { inFlight: deps.inFlight } : {}),
          ...(deps.lateMs ? { lateMs: deps.lateMs } : {}),
        })
      : null

  return {
    app,
    database,
    start() {
      if (!roles.worker) return
      worker.start()
      upkeep.start()
      databaseClock.start()
      waysIn.start()
      settler.start()
      backups?.start()
    },
    async close() {
      stopping.abort()
      const { grace = GRACE_MS } = deps
      const lastClaim = worker.stop()
      const drained = Promise.all([
        app && closeDoor(app.server).then(() => app.close()),
        lastClaim,
        upkeep.stop(),
        databaseClock.stop(),
        waysIn.stop(),
        settler.stop(),
        backups?.stop(),
        streams?.stop(),
      ])
      await Promise.all([carrier.close(grace, lastClaim), atMost(grace, drained)])
      await atMost(LAST_ANSWERS_MS, drained)
      // A body that is still on its way, or a caller who does not read.
      app?.server.closeAllConnections()
      await atMost(LAST_ANSWERS_MS, drained)
      await Promise.all([judge?.close(), ...outlets.map(({ connector }) => connector.close())])
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

async function atMost(ms: number, work: Promise<unknown>): Promise<void> {
  const { promise: late, resolve } = Promise.withResolvers<void>()
  const timer = setTimeout(resolve, ms)
  await Promise.race([work, late]).finally(() => clearTimeout(timer))
}
