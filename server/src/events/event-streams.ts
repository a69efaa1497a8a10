import type { ServerResponse } from 'node:http'
import { isDatabaseAway } from '../database/pool.ts'
import { AppError, unavailable } from '../errors.ts'
import { type Change, readHorizon, readTicketChanges } from './change.store.ts'
import { type EventsOf, fromEventId, toEventId } from './event-id.ts'
import { EventStream, type StreamOf, type StreamWatcher, type Told } from './event-stream.ts'
import { eventText, greeting, resetOf, toEvent } from './event-text.ts'
import { EventFeed, type FeedDeps } from './feed.ts'
import { compare, type Position } from './position.ts'
import { type Judge, TokenWatch, type Verdict } from './token-watch.ts'

/** Milliseconds. */
export type StreamTimes = {
  /** Between two looks for what is new. */
  look: number
  heartbeat: number
  /** Between two judgements of a token, and after one that could not be made. */
  judge: number
  judgeAgain: number
  /** How long a token is taken to hold without a judgement; an issuer's last word may be 30 s old by then. */
  held: number
  /** Between two looks at all streams. */
  turn: number
}

const TIMES: StreamTimes = {
  look: 500,
  heartbeat: 20_000,
  judge: 20_000,
  judgeAgain: 2000,
  held: 30_000,
  turn: 1000,
}
/** Entries of a ticket that one statement reads; their text is well within what may wait for a reader. */
const PAGE = 150
const STATEMENT_MS = 5000

export type EventStreamsDeps = Pick<FeedDeps, 'run' | 'random' | 'log'> & {
  judge: Judge
  /** What the events' ids are signed with. */
  secret: Buffer
  /** Epoch milliseconds. */
  now: () => number
  times?: Partial<StreamTimes>
}

/** From where a stream goes on, and what it says first. */
type Opening = { from: Position; greeting: string }

/** All open streams of a process. They share one feed and one timer. */
export class EventStreams {
  readonly #deps: EventStreamsDeps
  readonly #times: StreamTimes
  readonly #feed: EventFeed
  readonly #watch: TokenWatch
  readonly #all = new Set<EventStream>()
  /** Those that have caught up, by brand and ticket. */
  readonly #live = new Map<string, Set<EventStream>>()
  #timer: NodeJS.Timeout | null = null
  #stopped = false

  constructor(deps: EventStreamsDeps) {
    this.#deps = deps
    this.#times = { ...TIMES, ...deps.times }
    this.#feed = new EventFeed({
      run: deps.run,
      every: this.#times.look,
      random: deps.random,
      log: deps.log,
      onChanges: (changes) => this.#tellAll(changes),
      onReset: () => this.#resetAll(),
    })
    this.#watch = new TokenWatch(deps.judge, (stream, verdict) => this.#judged(stream, verdict))
  }

  /** How many are open. */
  get count(): number {
    return this.#all.size
  }

  /**
   * Opens a stream.
   * @param eventId the last one that the client has, or null
   * @param begin writes the head, once everything is known that can be refused
   * @param watcher hears of its end where `begin` was called, and nothing where this throws
   * @throws AppError `validation_error` where the id is none of ours, `unavailable` while the server stops
   */
  async open(
    of: StreamOf,
    eventId: string | null,
    begin: () => ServerResponse,
    watcher: StreamWatcher,
  ): Promise<void> {
    const judgedAt = performance.now()
    let stream: EventStream
    try {
      await this.#feed.join()
      const opening = await this.#prepare(of, eventId)
      if (this.#stopped) throw unavailable('The server stops.', 2)
      stream = new EventStream(of, opening.from, begin(), {
        ends: watcher.ends,
        closed: () => {
          this.#remove(stream)
          watcher.closed()
        },
      })
      this.#add(stream, judgedAt)
      stream.write(opening.greeting)
    } catch (error) {
      this.#feed.leave()
      if (isDatabaseAway(error)) throw unavailable('The database is away.', 2, error)
      throw error
    }
    void this.#catchUp(stream)
  }

  /** Ends all streams at once, and lets none begin. */
  async stop(): Promise<void> {
    this.#stopped = true
    for (const stream of this.#all) stream.finish('stopping')
    // Who has read everything has heard the end by then, and nobody waits for the others.
    setImmediate(() => {
      for (const stream of this.#all) stream.abandon()
    })
    await this.#feed.stop()
  }

  async #prepare(of: EventsOf, eventId: string | null): Promise<Opening> {
    const { run, secret } = this.#deps
    if (eventId === null) {
      const from = this.#feed.position
      return { from, greeting: greeting(this.#idOf(of, from)) }
    }
    const from = fromEventId(secret, of, eventId)
    if (from === null) {
      throw new AppError('validation_error', 'Last-Event-ID is not the id of an event of this ticket.')
    }
    // Another process may have read further than this one. What none can have read yet is of a state that is no more.
    const isKnown =
      from.database === this.#feed.database &&
      (compare(from, this.#feed.position) <= 0 || compare(from, await run(STATEMENT_MS, readHorizon)) <= 0)
    if (isKnown) return { from, greeting: greeting(null) }
    const { position } = this.#feed
    return { from: position, greeting: greeting(null) + this.#resetText(of, position) }
  }

  /** Tells what this ticket's stream has missed up to where the feed is; from then on the feed tells it. */
  async #catchUp(stream: EventStream): Promise<void> {
    try {
      while (compare(stream.told, this.#feed.position) < 0) {
        const between = { after: stream.told, upTo: this.#feed.position }
        const { changes, readTo } = await this.#deps.run(STATEMENT_MS, (sql) =>
          readTicketChanges(sql, stream.of, between, PAGE),
        )
        if (stream.end !== null) return
        // The database has gone back meanwhile, and the stream was told so: these places mean nothing any more.
        if (stream.told !== between.after) continue
        stream.tell(changes.map((change) => this.#toTold(change)))
        stream.skipTo(readTo)
        await stream.drained()
        if (stream.end !== null) return
      }
    } catch {
      // The client comes back with the id that it has.
      stream.finish('unavailable')
      return
    }
    const key = keyOf(stream.of)
    const live = this.#live.get(key)
    if (live === undefined) this.#live.set(key, new Set([stream]))
    else live.add(stream)
  }

  #add(stream: EventStream, judgedAt: number): void {
    stream.heldAt = judgedAt
    stream.judgeAt = judgedAt + this.#times.judge
    stream.beatAt = performance.now() + this.#times.heartbeat
    this.#all.add(stream)
    this.#timer ??= setInterval(() => this.#turn(), this.#times.turn)
  }

  #remove(stream: EventStream): void {
    this.#all.delete(stream)
    const key = keyOf(stream.of)
    const live = this.#live.get(key)
    live?.delete(stream)
    if (live?.size === 0) this.#live.delete(key)
    this.#feed.leave()
    if (this.#all.size > 0 || this.#timer === null) return
    clearInterval(this.#timer)
    this.#timer = null
  }

  #tellAll(changes: Change[]): void {
    for (const [key, ofTicket] of Map.groupBy(changes, keyOf)) {
      const streams = this.#live.get(key)
      if (streams === undefined) continue
      const told = ofTicket.map((change) => this.#toTold(change))
      for (const stream of streams) stream.tell(told)
    }
  }

  #resetAll(): void {
    const { position } = this.#feed
    for (const stream of this.#all) {
      stream.skipTo(position)
      stream.write(this.#resetText(stream.of, position))
    }
  }

  /** What is due for each stream. */
  #turn(): void {
    const at = performance.now()
    const now = this.#deps.now()
    for (const stream of this.#all) {
      if (stream.end !== null) continue
      if (now >= stream.of.expiresAt) stream.finish('token')
      else if (at - stream.heldAt >= this.#times.held) stream.finish('unavailable')
      else if (at >= stream.judgeAt) this.#watch.ask(stream)
      if (at < stream.beatAt) continue
      stream.beatAt = at + this.#times.heartbeat
      stream.beat()
    }
  }

  #judged(stream: EventStream, verdict: Verdict): void {
    const at = performance.now()
    if (verdict === 'refused') stream.finish('token')
    if (verdict === 'holds') stream.heldAt = at
    stream.judgeAt = at + (verdict === 'holds' ? this.#times.judge : this.#times.judgeAgain)
  }

  #toTold(change: Change): Told {
    const event = toEvent(change)
    const text = event === null ? null : eventText(this.#idOf(change, change), event)
    return { xid: change.xid, id: change.id, text }
  }

  #resetText(of: EventsOf, position: Position): string {
    return eventText(this.#idOf(of, position), resetOf(of.ticketId))
  }

  #idOf(of: EventsOf, { xid, id }: Position): string {
    return toEventId(this.#deps.secret, of, { database: this.#feed.database, xid, id })
  }
}

function keyOf({ brandId, ticketId }: EventsOf): string {
  return `${brandId} ${ticketId}`
}
