import type { FastifyInstance } from 'fastify'
import type { RouteTable } from './route-table.ts'

const METHODS = 'GET, POST'
const REQUEST_HEADERS = 'authorization, content-type, idempotency-key, traceparent'
const ANSWER_HEADERS =
  'idempotency-replayed, ratelimit-limit, ratelimit-remaining, ratelimit-reset, retry-after, x-request-id'
const PREFLIGHT_AGE = '600'

/**
 * Lets the browsers of the brands' origins call (Fetch standard, CORS protocol): the union of them, without
 * credentials, since a token says who calls and no cookie does. Other origins get no header, and the browser
 * refuses them; a preflight of theirs is a method that the path does not have. Where there is no such path,
 * there is none for a preflight either.
 */
export function registerCors(app: FastifyInstance, origins: ReadonlySet<string>, routes: RouteTable): void {
  if (origins.size === 0) return
  app.addHook('onRequest', (request, reply, done) => {
    const { origin } = request.headers
    reply.header('vary', 'Origin')
    if (origin === undefined || !origins.has(origin)) {
      done()
      return
    }
    reply.header('access-control-allow-origin', origin)
    const isPreflight =
      request.method === 'OPTIONS' && request.headers['access-control-request-method'] !== undefined
    if (!isPreflight) {
      reply.header('access-control-expose-headers', ANSWER_HEADERS)
      done()
      return
    }
    if (routes.methodsOf(request.url) === null) {
      done()
      return
    }
    void reply
      .headers({
        'access-control-allow-methods': METHODS,
        'access-control-allow-headers': REQUEST_HEADERS,
        'access-control-max-age': PREFLIGHT_AGE,
      })
      .code(204)
      .send()
  })
}
