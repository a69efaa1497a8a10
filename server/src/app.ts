import type { Server } from 'node:http'
import { openapi } from '@bellhop/contract'
import fastify, { type FastifyInstance } from 'fastify'
import { type DeskDeps, deskRoutes } from './desk/desk.routes.ts'
import { AppError } from './errors.ts'
import { type EventDeps, type EventGuards, eventRoutes } from './events/event.routes.ts'
import { Admission, type AdmissionLimits } from './http/admission.ts'
import { registerBodies, registerRawBodies } from './http/body.ts'
import { contentGuard, mailContentGuard } from './http/content.ts'
import { registerCors } from './http/cors.ts'
import { docsRoutes } from './http/docs.ts'
import { putEntrance } from './http/entrance.ts'
import { answer, onClientError, onConnect, registerErrors } from './http/errors.ts'
import { healthRoutes, type Readiness } from './http/health.ts'
import { hasOneHost } from './http/host.ts'
import { InboundPlaces } from './http/inbound-places.ts'
import { parseJson } from './http/json.ts'
import { Lateness } from './http/lateness.ts'
import { type Metrics, metricsRoutes } from './http/metrics.ts'
import { registerRateLimit } from './http/rate-limit.ts'
import { requestId } from './http/request-id.ts'
import { registerRequestLog } from './http/request-log.ts'
import { RouteTable } from './http/route-table.ts'
import { type JudgeToken, tokenGuard } from './http/token-guard.ts'
import { authorizationOf } from './http/tokens/bearer.ts'
import { TurnedAway } from './http/turned-away.ts'
import { type InboundDeps, inboundRoutes } from './inbound/inbound.routes.ts'
import { INBOUND_MAIL_BYTES } from './inbound/mail-bytes.ts'
import type { Log } from './log.ts'
import { type TicketServices, ticketRoutes } from './tickets/ticket.routes.ts'
import type { Tracing } from './tracing.ts'

const URL_LIMIT = 8 * 1024
const HEADERS_LIMIT = 16 * 1024
const KEEP_ALIVE_MS = 72_000
const IN_FLIGHT: AdmissionLimits = { requests: 1000, bytes: 256 * 1024 * 1024 }
const TIMEOUTS: HttpTimeouts = { headers: 10_000, request: 120_000, checkEvery: 2000 }
/** Milliseconds. */
export type HttpTimeouts = {
  /** Within which a request's headers must have arrived. */
  headers: number
  /** Within which all of it must have arrived: 26 MiB at 2 Mbit/s, unless told. */
  request: number
  /** How often it is looked who is late. */
  checkEvery: number
}

export type AppDeps = {
  version: string
  /** Null for a worker alone, which answers only to those who watch it. */
  tickets: (TicketServices & { judge: JudgeToken }) | null
  /** Tells what happens on a ticket; null beside null tickets. */
  events: EventDeps | null
  /** Takes the answers of webhook desks; null beside null tickets. */
  desk: DeskDeps | null
  /** Takes mails that are brought; null beside null tickets. */
  inbound: InboundDeps | null
  readiness: Readiness
  metrics: Metrics
  tracing: Tracing
  log: Log
  /** Of all brands. */
  origins: ReadonlySet<string>
  /** Tickets that are not kept yet. */
  keeping: () => number
  /** Bytes of a request on the wire. */
  maxRequestBytes: number
  /** Aborted when the server begins to stop. */
  stopping: AbortSignal
  timeouts?: HttpTimeouts
  /** What may be in flight at once; 1,000 requests and 256 MiB unless told. */
  inFlight?: AdmissionLimits
  /** Milliseconds by which the event loop may be late before tickets are turned away; a second unless told. */
  lateMs?: number
}

/** The whole HTTP surface, the same in production and in tests. Every plugin and route is named here. */
export async function buildApp(deps: AppDeps): Promise<FastifyInstance<Server>> {
  const { log, metrics, maxRequestBytes, timeouts = TIMEOUTS } = deps
  const app: FastifyInstance<Server> = fastify<Server>({
    genReqId: requestId,
    requestTimeout: timeouts.request,
    keepAliveTimeout: KEEP_ALIVE_MS,
    // What comes on an open connection while the server closes is answered as ever; the answer closes it.
    return503OnClosing: false,
    clientErrorHandler: onClientError,
    routerOptions: { maxParamLength: URL_LIMIT },
    frameworkErrors: (error, request, reply) => {
      request.facts = {}
      reply.raw.once('finish', () => note(request, reply))
      reply.headers({ 'x-request-id': request.id, 'x-content-type-options': 'nosniff' })
      answer(
        request,
        reply,
        new AppError('bad_request', 'The path is not a valid URL path.', { cause: error }),
      )
    },
    http: {
      // Node would answer by itself, without a body.
      requireHostHeader: false,
      maxHeaderSize: HEADERS_LIMIT,
      headersTimeout: timeouts.headers,
      connectionsCheckingInterval: timeouts.checkEvery,
    },
  })
  // Node would invite the body (100 Continue) before the token is judged.
  app.server.on('checkContinue', (request, response) => app.server.emit('request', request, response))
  // Nor does it answer other expectations in our words; they may be ignored (RFC 9110, section 10.1.1).
  app.server.on('checkExpectation', (request, response) => app.server.emit('request', request, response))
  app.server.on('connect', onConnect)

  const routes = new RouteTable()
  routes.watch(app)
  const note = registerRequestLog(app, log, metrics, deps.tracing)
  app.addHook('onRequest', (request, reply, done) => {
    reply.header('x-content-type-options', 'nosniff')
    if (request.raw.url !== undefined && request.raw.url.length > URL_LIMIT) {
      done(new AppError('uri_too_long', `The path and query are over ${URL_LIMIT} bytes.`))
      return
    }
    done(
      hasOneHost(request.raw)
        ? undefined
        : new AppError('bad_request', 'There must be one Host header, with a host.'),
    )
  })
  // Whoever keeps a connection is told that this answer is its last, also where the question came before the stop.
  app.addHook('onSend', (_request, reply, _payload, done) => {
    if (deps.stopping.aborted) reply.header('connection', 'close')
    done()
  })
  registerCors(app, deps.origins, routes)
  registerErrors(app, routes, log)
  // Only the routes that take a body read one.
  app.removeAllContentTypeParsers()
  const lateness = new Lateness(deps.lateMs)
  app.addHook('onClose', async () => lateness.close())
  const admission = new Admission(deps.inFlight ?? IN_FLIGHT)
  const fullFor = () => (admission.isFull ? 1 : lateness.isLate ? 5 : null)
  const isFull = () => fullFor() !== null
  const entrance = putEntrance(app.server, {
    fullFor,
    keeping: deps.keeping,
    origins: deps.origins,
    stopping: deps.stopping,
    turnedAway: new TurnedAway({
      log,
      observe: (count) => metrics.turnedAway(count),
      origins: deps.origins,
      stopping: deps.stopping,
    }),
  })
  await app.register(healthRoutes(async () => (isFull() ? 'The server is full.' : deps.readiness())))
  await app.register(metricsRoutes(metrics))
  const { tickets } = deps
  if (tickets === null) return app
  const guards = {
    token: tokenGuard(tickets.judge),
    content: contentGuard(maxRequestBytes),
    admission: admission.guard,
    during: admission.during.bind(admission),
    limit: await registerRateLimit(app),
  }
  await app.register(async (scope) => {
    registerBodies(scope, admission, maxRequestBytes)
    await scope.register(ticketRoutes(tickets, guards))
  })
  const { events } = deps
  if (events !== null) {
    const eventGuards: EventGuards = {
      ...guards,
      alone: (_request, reply, done) => {
        entrance.standAlone(reply.raw)
        done()
      },
      leave: (request, reply) => {
        admission.leave(request)
        entrance.leave(reply.raw)
      },
      authorization: (request) => authorizationOf(request.raw.rawHeaders),
      note,
    }
    await app.register(eventRoutes(events, eventGuards))
  }
  const places = new InboundPlaces(admission)
  const strangers = {
    places: places.guard,
    admission: admission.guard,
    during: places.during.bind(places),
  }
  const { desk } = deps
  if (desk !== null) {
    await app.register(async (scope) => {
      registerRawBodies(scope, places, maxRequestBytes)
      const deskGuards = { ...strangers, content: guards.content, parse: parseJson }
      await scope.register(deskRoutes(desk, deskGuards))
    })
  }
  const { inbound } = deps
  if (inbound !== null) {
    await app.register(async (scope) => {
      registerRawBodies(scope, places, INBOUND_MAIL_BYTES)
      const inboundGuards = { ...strangers, content: mailContentGuard(INBOUND_MAIL_BYTES) }
      await scope.register(inboundRoutes(inbound, inboundGuards))
    })
  }
  await app.register(docsRoutes(openapi(deps.version)))
  return app
}
