import { type IncomingMessage, STATUS_CODES } from 'node:http'
import type { Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import type { FastifyError, FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { AppError, type ErrorBody, type ErrorCode, STATUS } from '../errors.ts'
import type { Log } from '../log.ts'
import { boundRest, hasRest } from './rest.ts'
import type { RouteTable } from './route-table.ts'

/** What Fastify refuses by itself, in our words. */
const FRAMEWORK: Record<string, [ErrorCode, string]> = {
  FST_ERR_CTP_INVALID_MEDIA_TYPE: [
    'unsupported_media_type',
    'The content type must be application/json in UTF-8.',
  ],
  FST_ERR_BAD_URL: ['bad_request', 'The path is not a valid URL path.'],
  FST_ERR_MAX_PARAM_LENGTH: ['not_found', 'There is nothing at this path.'],
}

/** Milliseconds between two lines that say why a request was refused with 503. */
const TELL_EVERY_MS = 1000

/** Every error answer has the same body, whoever refused: `{error, message}`. */
export function registerErrors(app: FastifyInstance, routes: RouteTable, log: Log): void {
  app.setErrorHandler<FastifyError>((error, request, reply) => {
    const refusal = toAppError(error)
    tell(refusal, request.id)
    answer(request, reply, refusal)
  })

  // Before the body is looked at: what it holds, or lacks, is no matter where nothing takes it.
  app.addHook('onRequest', (request, _reply, done) => {
    done(request.is404 ? nowhere(routes, request.url) : undefined)
  })
  app.setNotFoundHandler((request, reply) => answer(request, reply, nowhere(routes, request.url)))

  let toldAt = Number.NEGATIVE_INFINITY
  let untold = 0

  /** A refusal without a cause says all there is in the request's own line. In an outage one a second does. */
  function tell({ code, cause, status }: AppError, requestId: string): void {
    if (cause === undefined || status < 500) return
    if (code === 'unavailable' && performance.now() - toldAt < TELL_EVERY_MS) {
      untold++
      return
    }
    toldAt = performance.now()
    log.fault(code, cause, { req_id: requestId, ...(untold > 0 ? { count: untold } : {}) })
    untold = 0
  }
}

function nowhere(routes: RouteTable, url: string): AppError {
  const allowed = routes.methodsOf(url)
  if (allowed === null) return new AppError('not_found', 'There is nothing at this path.')
  return new AppError('method_not_allowed', 'This path does not have this method.', {
    headers: { allow: allowed.join(', ') },
  })
}

export function answer(request: FastifyRequest, reply: FastifyReply, refusal: AppError): void {
  request.facts.code = refusal.code
  if (hasRest(request.raw)) {
    const closes = !reply.raw.shouldKeepAlive || reply.getHeader('connection') === 'close'
    boundRest(request.raw, reply.raw, { closes, known: request.caller !== null })
    reply.removeHeader('connection')
    reply.raw.shouldKeepAlive = true
  }
  void reply
    .code(refusal.status)
    .headers(refusal.headers)
    .type('application/json; charset=utf-8')
    .send(refusal.body)
}

export function toAppError(error: FastifyError | AppError): AppError {
  if (error instanceof AppError) return error
  const known = FRAMEWORK[error.code]
  if (known) return new AppError(known[0], known[1], { cause: error })
  // A body that broke off: there is nobody to answer, and nothing of ours is wrong.
  if (error.code === 'ECONNRESET' || error.message === 'aborted') {
    return new AppError('bad_request', 'The request broke off.', { cause: error })
  }
  return new AppError('internal_error', 'Something went wrong here; it was written down.', { cause: error })
}

/** What Node tells of a request that it cannot parse; the types of Fastify know less of it. */
type ClientError = Error & { code?: string; rawPacket?: unknown; bytesParsed?: number }

/**
 * Answers what HTTP itself cannot parse, on the bare socket, since there is no request.
 * @see https://nodejs.org/api/http.html#event-clienterror
 */
export function onClientError(error: ClientError, socket: Socket): void {
  if (error.code === 'ECONNRESET' || socket.destroyed || !socket.writable) {
    socket.destroy()
    return
  }
  const [code, message] = toClientError(error, socket)
  answerSocket(socket, code, message)
}

/** A tunnel to elsewhere, which Node gives no answer by itself (RFC 9110, section 9.3.6). */
export function onConnect(_request: IncomingMessage, socket: Duplex): void {
  answerSocket(socket, 'bad_request', 'This server is not a proxy.')
}

function answerSocket(socket: Duplex, code: ErrorCode, message: string): void {
  const body = JSON.stringify({ error: code, message } satisfies ErrorBody)
  const status = STATUS[code]
  socket.end(
    `HTTP/1.1 ${status} ${STATUS_CODES[status]}\r\nContent-Type: application/json; charset=utf-8\r\n` +
      `Content-Length: ${Buffer.byteLength(body)}\r\nConnection: close\r\n\r\n${body}`,
    // What the client still sends goes nowhere.
    () => socket.destroy(),
  )
}

function toClientError(error: ClientError, socket: Socket): [ErrorCode, string] {
  switch (error.code) {
    case 'ERR_HTTP_REQUEST_TIMEOUT':
      return ['request_timeout', 'The request did not arrive in time.']
    case 'HPE_HEADER_OVERFLOW':
      return isInRequestLine(error, socket)
        ? ['uri_too_long', 'The request line is too long.']
        : ['headers_too_large', 'The headers are too large.']
    default:
      return ['bad_request', 'The request is not valid HTTP.']
  }
}

/**
 * Node's limit is one for the request line and the headers. It was the line where no line had ended by then. A
 * connection's first packet begins with one; a later packet does where it looks like one, else it goes on with
 * headers that came before.
 */
function isInRequestLine({ rawPacket, bytesParsed }: ClientError, socket: Socket): boolean {
  if (!Buffer.isBuffer(rawPacket)) return false
  const isFirst = socket.bytesRead <= rawPacket.length
  if (!isFirst && !REQUEST_LINE.test(rawPacket.toString('latin1', 0, 20))) return false
  return !rawPacket.subarray(0, bytesParsed).includes('\n')
}

/** How one begins (RFC 9112, section 3). */
const REQUEST_LINE = /^[A-Z]{3,16} (?:\/|https?:)/
