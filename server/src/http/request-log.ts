import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import type { Log } from '../log.ts'
import type { Tracing } from '../tracing.ts'
import type { Metrics } from './metrics.ts'
import { tracedBy } from './request-id.ts'

declare module 'fastify' {
  interface FastifyContextConfig {
    /** Whether its answer goes on for as long as its caller listens. */
    lasts?: boolean
  }
}

/** Notes a request once it was answered. */
export type NoteRequest = (request: FastifyRequest, reply: FastifyReply) => void

/**
 * One line and one measurement for each request. The path is the route's pattern, never what was asked for.
 * @returns what notes a request that meets no hooks
 */
export function registerRequestLog(
  app: FastifyInstance,
  log: Log,
  metrics: Metrics,
  tracing: Tracing,
): NoteRequest {
  app.decorateRequest('caller', null)
  app.decorateRequest('facts')
  app.addHook('onRequest', (request, reply, done) => {
    request.facts = {}
    reply.header('x-request-id', request.id)
    done()
  })
  const note: NoteRequest = (request, reply) => {
    const route = request.routeOptions.url ?? 'unknown'
    const seconds = reply.elapsedTime / 1000
    // How long a stream was open says nothing of how soon it was there.
    const lasted = request.routeOptions.config.lasts === true && reply.raw.statusCode === 200
    if (!lasted) metrics.request(request.method, route, reply.statusCode, seconds)
    log.info('request', {
      req_id: request.id,
      method: request.method,
      route,
      status: reply.statusCode,
      ms: Math.round(reply.elapsedTime * 10) / 10,
      ...request.facts,
    })
    tracing.record({
      name: `${request.method} ${route}`,
      kind: 'request',
      ms: reply.elapsedTime,
      attributes: {
        'http.request.method': request.method,
        'http.route': route,
        'http.response.status_code': reply.statusCode,
        'bellhop.request_id': request.id,
        'bellhop.ticket_id': request.facts.ticket_id,
      },
      failed: reply.statusCode >= 500,
      traceparent: tracedBy(request.raw),
    })
  }
  app.addHook('onResponse', (request, reply, done) => {
    note(request, reply)
    done()
  })
  return note
}
