import type { FastifyRequest, onRequestHookHandler } from 'fastify'
import { AppError, unavailable } from '../errors.ts'
import { isWithoutUser } from '../tickets/caller.ts'

export type AdmissionLimits = {
  /** Requests in flight. */
  requests: number
  /** Bytes of their bodies together, as far as they have arrived, without what is let in of each. */
  bytes: number
}

/** Bytes of a body that do not count, so that large bodies never keep a small one out. */
export const LET_IN = 64 * 1024

/** Requests in flight of one person, so that one token cannot take every place. */
const OF_ONE_PERSON = 400

/** What one request holds until it is over: its caller has the answer or hung up, and no work goes on. */
type Place = {
  person: string | null
  arrived: number
  bytes: number
  closed: boolean
  working: boolean
  released: boolean
}

/** Keeps the requests in flight, and their bytes, within what the process can bear; the rest is 503. */
export class Admission {
  readonly #limits: AdmissionLimits
  readonly #places = new WeakMap<FastifyRequest, Place>()
  /** Requests in flight of each person: as many entries as requests at most. */
  readonly #persons = new Map<string, number>()
  #requests = 0
  #bytes = 0

  constructor(limits: AdmissionLimits) {
    this.#limits = limits
  }

  /** Is there no place for one more request? A small one needs nothing else. */
  get isFull(): boolean {
    return this.#requests >= this.#limits.requests
  }

  /** Stands behind the token: who has none takes nobody's place. */
  readonly guard: onRequestHookHandler = (request, reply, done) => {
    // Who hung up while the token was judged: no `close` would come to give the place back.
    if (reply.raw.destroyed) {
      done(new AppError('bad_request', 'The request broke off.'))
      return
    }
    const person = personOf(request)
    const theirs = person === null ? 0 : (this.#persons.get(person) ?? 0)
    if (this.isFull || theirs >= OF_ONE_PERSON) {
      done(full())
      return
    }
    const place: Place = { person, arrived: 0, bytes: 0, closed: false, working: false, released: false }
    this.#places.set(request, place)
    this.#requests++
    if (person !== null) this.#persons.set(person, theirs + 1)
    // `close` comes for every response, also where the caller went away.
    reply.raw.once('close', () => {
      place.closed = true
      this.#releaseWhenOver(place)
    })
    done()
  }

  /**
   * Counts bytes of the body as they arrive: what was only announced holds nothing.
   * @throws AppError `unavailable` where they are too many, and nothing more is to be read
   */
  count(request: FastifyRequest, bytes: number): void {
    const place = this.#placeOf(request)
    place.arrived += bytes
    const more = Math.max(0, place.arrived - LET_IN) - place.bytes
    if (more > 0 && this.#bytes + more > this.#limits.bytes) throw full()
    place.bytes += more
    this.#bytes += more
  }

  /** Holds the request's place as long as this work goes on, also where its caller has hung up. */
  async during<T>(request: FastifyRequest, work: Promise<T>): Promise<T> {
    const place = this.#placeOf(request)
    place.working = true
    try {
      return await work
    } finally {
      place.working = false
      this.#releaseWhenOver(place)
    }
  }

  /** Gives a request's place back though its answer goes on: what holds it is counted elsewhere. */
  leave(request: FastifyRequest): void {
    const place = this.#placeOf(request)
    place.closed = true
    this.#releaseWhenOver(place)
  }

  #releaseWhenOver(place: Place): void {
    if (!place.closed || place.working || place.released) return
    place.released = true
    this.#requests--
    this.#bytes -= place.bytes
    if (place.person === null) return
    const left = (this.#persons.get(place.person) ?? 1) - 1
    if (left > 0) this.#persons.set(place.person, left)
    else this.#persons.delete(place.person)
  }

  #placeOf(request: FastifyRequest): Place {
    const place = this.#places.get(request)
    if (place === undefined) throw new Error('a request was let in without a place')
    return place
  }
}

/** A client that files for many persons is not counted as one. */
function personOf({ caller }: FastifyRequest): string | null {
  if (caller === null || isWithoutUser(caller)) return null
  return `${caller.issuer} ${caller.subject}`
}

function full(): AppError {
  return unavailable('The server is full.', 1)
}
