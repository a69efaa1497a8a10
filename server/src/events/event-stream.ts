import type { ServerResponse } from 'node:http'
import { HEARTBEAT } from './event-text.ts'
import { compare, type Position } from './position.ts'

/**
 * Why a stream ended: the client hung up; its token holds no longer, or nobody says that it does; it does not read;
 * the database was away while it caught up; the server stops.
 */
export type StreamEnd = 'gone' | 'token' | 'slow' | 'unavailable' | 'stopping'

/** Bytes that may wait for a reader. */
const WAITING_BYTES = 64 * 1024

/** A change with its place, as it is written; null where a customer is told nothing of it. */
export type Told = Position & { text: string | null }

/** Whoever keeps account of a stream. */
export type StreamWatcher = {
  /** Why it ends, as soon as that is known. */
  ends(end: StreamEnd): void
  /** Nothing is left of it. */
  closed(): void
}

/** The ticket whose events these are, and who reads them. */
export type StreamOf = {
  brandId: string
  ticketId: string
  /** Every Authorization header of the request: the token is judged again and again. */
  authorization: string | readonly string[] | undefined
  issuer: string
  /** Epoch milliseconds of the token's end. */
  expiresAt: number
}

/** One open stream. It has no timer of its own. */
export class EventStream {
  readonly of: StreamOf
  /** Up to where everything was told. */
  told: Position
  /** By `performance.now()`: when the next heartbeat is due, the next judgement, and when the last one held. */
  beatAt = 0
  judgeAt = 0
  heldAt = 0
  end: StreamEnd | null = null
  readonly #response: ServerResponse
  readonly #watcher: StreamWatcher
  /** Whether something waited at the last heartbeat. */
  #waited = false

  constructor(of: StreamOf, told: Position, response: ServerResponse, watcher: StreamWatcher) {
    this.of = of
    this.told = told
    this.#response = response
    this.#watcher = watcher
    response.once('close', () => {
      this.#decide('gone')
      watcher.closed()
    })
    // What was written to somebody who is gone.
    response.on('error', () => {})
  }

  /** Tells what comes behind everything that was told, and nothing twice; all of it in one write. */
  tell(events: readonly Told[]): void {
    let text = ''
    for (const event of events) {
      if (compare(event, this.told) <= 0) continue
      this.told = event
      text += event.text ?? ''
    }
    if (text !== '') this.write(text)
  }

  /** There is nothing to tell up to this place. */
  skipTo(place: Position): void {
    this.told = place
  }

  write(text: string): void {
    if (this.end !== null || this.#response.destroyed) return
    // What is written in one turn waits until its end, whoever reads: only what has waited since an earlier one counts.
    if (this.#response.writableLength > WAITING_BYTES) this.cut('slow')
    else this.#response.write(text)
  }

  /** When what was written has been taken, or the client is gone. */
  async drained(): Promise<void> {
    const response = this.#response
    if (!response.writableNeedDrain || response.destroyed) return
    const { promise, resolve } = Promise.withResolvers<void>()
    response.once('drain', resolve).once('close', resolve)
    await promise
    response.off('drain', resolve).off('close', resolve)
  }

  /** A heartbeat. Who has something waiting at two of them, one after the other, does not read. */
  beat(): void {
    const waits = this.#response.writableLength > 0
    if (waits && this.#waited) this.cut('slow')
    this.#waited = waits
    this.write(HEARTBEAT)
  }

  /** Ends it in order: the reader hears the end. */
  finish(end: StreamEnd): void {
    if (this.#decide(end)) this.#response.end()
  }

  /** Ends it at once, with whatever still waits. */
  cut(end: StreamEnd): void {
    if (this.#decide(end)) this.#response.destroy()
  }

  /** One that has ended, and whose reader does not read the end. */
  abandon(): void {
    if (this.#response.writableLength > 0) this.#response.destroy()
  }

  /** Whoever ends it says why, once. */
  #decide(end: StreamEnd): boolean {
    if (this.end !== null) return false
    this.end = end
    this.#watcher.ends(end)
    return true
  }
}
