import type { IncomingMessage, RequestListener, Server, ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import { isPreflight } from './cors.ts'
import { Lately } from './lately.ts'
import type { TurnedAway } from './turned-away.ts'
import { Turns } from './turns.ts'
import { Unheard } from './unheard.ts'

/** What must answer also when the server is full. */
const PROBE = /^\/(?:healthz|readyz|metrics)(?:\?|$)/
/** Requests that wait to be let in, at most. */
const LINE = 1000
/** Of those that one connection sends without waiting for answers (pipelined): it takes nobody else's place. */
const OF_ONE_CONNECTION = 64
/** So many may come at once, and wait longer than others: a burst is no overload. */
const BURST = 256
/** Milliseconds after which who waits is turned away: in a line of a burst at most, and in a longer one. */
const BURST_WAIT_MS = 2000
const WAIT_MS = 750
/** Requests inside that are at work, and tickets that wait to be kept: where there are so many, others wait. */
const AT_WORK = 256
/** Milliseconds between two looks whether there is less work. */
const SOON_MS = 2

export type EntranceDeps = {
  /** Seconds after which to try again, where nothing more can be borne; null where there is a place. */
  fullFor: () => number | null
  /** Tickets that are not kept yet. */
  keeping: () => number
  /** Whose browsers may ask whether they may call. */
  origins: ReadonlySet<string>
  turnedAway: TurnedAway
  /** Aborted when the server begins to stop. */
  stopping: AbortSignal
}

type Waiting = { request: IncomingMessage; response: ServerResponse; since: number }

/**
 * Stands before the app: a request goes in at once where it can, waits a little where it cannot, and is turned
 * away where too many wait, before anything else is done for it. So what waits, waits here, where it can be
 * counted and answered, and not in the kernel, and turns stay short whatever comes.
 */
class Entrance {
  readonly #deps: EntranceDeps
  readonly #enter: RequestListener
  readonly #turns = new Turns(() => this.#advance())
  readonly #unheard = new Unheard()
  readonly #lately = new Lately()
  /** Who came first stands first. */
  readonly #line = new Set<Waiting>()
  /** Those of each connection that stand in it, or stood there and have no answer yet. */
  readonly #ofOne = new WeakMap<Socket, number>()
  /** The answer of a connection behind which nothing may come. */
  readonly #alone = new WeakMap<Socket, ServerResponse>()
  #soon: NodeJS.Timeout | null = null

  constructor(deps: EntranceDeps, enter: RequestListener) {
    this.#deps = deps
    this.#enter = enter
    deps.stopping.addEventListener('abort', () => this.#unheard.end())
  }

  readonly onConnection = (): void => this.#turns.noteConnection()

  readonly onRequest = (request: IncomingMessage, response: ServerResponse): void => {
    if (this.#isBehindLasting(request)) {
      request.socket.destroy()
      return
    }
    if (PROBE.test(request.url ?? '')) {
      this.#enter(request, response)
      return
    }
    const now = performance.now()
    const fullFor = this.#deps.fullFor()
    if (isPreflight(request, this.#deps.origins)) this.#letIn(request, response, now)
    else if (fullFor !== null || this.#isTooMany(request)) this.#turnAway(request, response, fullFor ?? 1)
    else if (this.#line.size === 0 && this.#mayEnter(now)) this.#letIn(request, response, now)
    else this.#putInLine({ request, response, since: now })
  }

  /**
   * Its answer may last: what came behind it on its connection would wait for its end, and hold what it holds
   * until then. So the connection is broken off where something does.
   */
  standAlone(response: ServerResponse): void {
    if (response.socket !== null) this.#alone.set(response.socket, response)
  }

  /** Its answer goes on, and is no work. */
  leave(response: ServerResponse): void {
    this.#lately.leave(response)
  }

  #isBehindLasting({ socket }: IncomingMessage): boolean {
    return this.#alone.get(socket)?.writableEnded === false
  }

  #isTooMany({ socket }: IncomingMessage): boolean {
    return this.#line.size >= LINE || (this.#ofOne.get(socket) ?? 0) >= OF_ONE_CONNECTION
  }

  #mayEnter(now: number): boolean {
    return this.#turns.hasLeft && this.#lately.count(now) < AT_WORK && this.#deps.keeping() < AT_WORK
  }

  #letIn(request: IncomingMessage, response: ServerResponse, now: number): void {
    this.#lately.add(response, now)
    this.#enter(request, response)
    this.#turns.spend()
  }

  #putInLine(waiting: Waiting): void {
    const { socket } = waiting.request
    this.#line.add(waiting)
    this.#ofOne.set(socket, (this.#ofOne.get(socket) ?? 0) + 1)
    waiting.response.once('close', () => {
      // Whoever hangs up takes nobody's place.
      this.#line.delete(waiting)
      this.#ofOne.set(socket, (this.#ofOne.get(socket) ?? 1) - 1)
    })
    this.#turns.ask()
  }

  #turnAway(request: IncomingMessage, response: ServerResponse, retryAfter: number): void {
    this.#unheard.hold(response)
    this.#deps.turnedAway.answer(request, response, retryAfter)
  }

  /** A stop has no time for a long wait: who is let in at its end still needs some. */
  get #wait(): number {
    return this.#line.size > BURST || this.#deps.stopping.aborted ? WAIT_MS : BURST_WAIT_MS
  }

  #advance(): void {
    for (const waiting of this.#line) {
      const { request, response, since } = waiting
      const now = performance.now()
      const isTooLate = now - since > this.#wait
      if (!isTooLate && !this.#mayEnter(now)) break
      this.#line.delete(waiting)
      if (this.#isBehindLasting(request)) request.socket.destroy()
      else if (isTooLate) this.#turnAway(request, response, 1)
      else this.#letIn(request, response, now)
    }
    if (this.#line.size === 0) return
    // Whoever waits for this turn's end only is let in by the next one; the others wait for time to pass.
    if (this.#turns.hasLeft) this.#lookSoon()
    else this.#turns.ask()
  }

  #lookSoon(): void {
    this.#soon ??= setTimeout(() => {
      this.#soon = null
      this.#turns.ask()
    }, SOON_MS)
  }
}

/** Puts the entrance before who answers the server's requests. */
export function putEntrance(server: Server, deps: EntranceDeps): Pick<Entrance, 'standAlone' | 'leave'> {
  const [enter] = server.listeners('request') as RequestListener[]
  if (enter === undefined) throw new Error('nobody answers the requests')
  const entrance = new Entrance(deps, enter)
  server.off('request', enter)
  server.on('connection', entrance.onConnection)
  server.on('request', entrance.onRequest)
  return entrance
}
