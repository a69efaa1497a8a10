import type { IncomingMessage, OutgoingHttpHeaders, ServerResponse } from 'node:http'
import type { ErrorBody } from '../errors.ts'
import type { Log } from '../log.ts'
import { originHeaders } from './cors.ts'
import { requestId } from './request-id.ts'
import { boundRest, hasRest } from './rest.ts'

/** Milliseconds between two lines that say how many were turned away. */
const TELL_EVERY_MS = 1000
/** Bytes of a body that Node may read to its end unwatched. */
const SMALL_BODY = 64 * 1024
const BODY = JSON.stringify({ error: 'unavailable', message: 'The server is full.' } satisfies ErrorBody)

/**
 * Answers 503 and does nothing else for a request: no token, no route, no line in the log. Those who were turned
 * away are counted, and one line a second says how many they are.
 */
export class TurnedAway {
  readonly #log: Log
  readonly #observe: (count: number) => void
  readonly #origins: ReadonlySet<string>
  readonly #stopping: AbortSignal
  #count = 0
  #timer: NodeJS.Timeout | null = null

  constructor(deps: {
    log: Log
    /** Hears once a second how many there were. */
    observe: (count: number) => void
    /** Whose browsers may read the answer. */
    origins: ReadonlySet<string>
    /** Aborted when the server begins to stop. */
    stopping: AbortSignal
  }) {
    this.#log = deps.log
    this.#observe = deps.observe
    this.#origins = deps.origins
    this.#stopping = deps.stopping
  }

  /** @param retryAfter in seconds */
  answer(request: IncomingMessage, response: ServerResponse, retryAfter: number): void {
    this.#count++
    this.#timer ??= setTimeout(() => this.#tell(), TELL_EVERY_MS).unref()
    const { headers } = request
    const isLast = this.#stopping.aborted
    const closes = isLast || !response.shouldKeepAlive
    const answer: OutgoingHttpHeaders = {
      'content-type': 'application/json; charset=utf-8',
      'content-length': String(BODY.length),
      'retry-after': String(retryAfter),
      'x-request-id': requestId(request),
      'x-content-type-options': 'nosniff',
      ...originHeaders(headers.origin, this.#origins),
    }
    // Where Node is told that it closes, it does so at once, and resets who is still sending.
    if (hasRest(request) && (closes || !(Number(headers['content-length']) <= SMALL_BODY))) {
      boundRest(request, response, { closes, known: false })
      response.shouldKeepAlive = true
    } else if (isLast) answer.connection = 'close'
    response.writeHead(503, answer)
    response.end(BODY)
  }

  #tell(): void {
    this.#observe(this.#count)
    this.#log.warn('turned_away', { count: this.#count })
    this.#count = 0
    this.#timer = null
  }
}
