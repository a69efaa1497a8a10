import type { IncomingMessage } from 'node:http'
import type { FastifyInstance } from 'fastify'
import type { RouteTable } from './route-table.ts'

const METHODS = 'GET, POST, PATCH'
const REQUEST_HEADERS =
  'authorization, content-type, idempotency-key, if-none-match, last-event-id, traceparent'
const ANSWER_HEADERS =
  'content-disposition, etag, idempotency-replayed, ratelimit-limit, ratelimit-remaining, ratelimit-reset, retry-after, x-request-id'
const PREFLIGHT_AGE = '600'

/** What an answer says to the browser of an origin, where there are brands that have any. */
export function originHeaders(
  origin: string | undefined,
  origins: ReadonlySet<string>,
): Record<string, string> {
  if (origins.size === 0) return {}
  if (origin === undefined || !origins.has(origin)) return { vary: 'Origin' }
  return {
    vary: 'Origin',
    'access-control-allow-origin': origin,
    'access-control-expose-headers': ANSWER_HEADERS,
  }
}

/** Does a browser of such an origin ask whether it may call? */
export function isPreflight(
  { method, headers }: Pick<IncomingMessage, 'method' | 'headers'>,
  origins: ReadonlySet<string>,
): boolean {
  if (method !== 'OPTIONS' || headers['access-control-request-method'] === undefined) return false
  return headers.origin !== undefined && origins.has(headers.origin)
}

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
    if (!isPreflight(request, origins)) {
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
