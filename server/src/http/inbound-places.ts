import { createHmac, randomBytes } from 'node:crypto'
import type { FastifyRequest, onRequestHookHandler } from 'fastify'
import { AppError, unavailable } from '../errors.ts'
import { type Admission, LET_IN } from './admission.ts'

export type InboundLimits = {
  /** Requests at once of all brands, and of one. */
  requests: number
  ofOneBrand: number
  /** Bytes of their bodies together, as far as they have arrived, without what is let in of each. */
  bytes: number
}

const LIMITS: InboundLimits = { requests: 256, ofOneBrand: 128, bytes: 104 * 1024 * 1024 }

/** Brands' places are this many, whether there are such brands or not. */
const BUCKETS = 64

type Place = { bucket: number; arrived: number; bytes: number; closed: boolean; working: boolean }

/**
 * Keeps what callers send by whom nothing is known until their whole mail was read within a bound of its own, so that
 * whoever signs with a key of their own keeps no ticket out. Places are given by the name of the brand and not by
 * the brand, so that a full one does not tell whether there is such a brand.
 */
export class InboundPlaces {
  readonly #admission: Pick<Admission, 'count' | 'during'>
  readonly #limits: InboundLimits
  readonly #key = randomBytes(32)
  readonly #places = new WeakMap<FastifyRequest, Place>()
  readonly #ofBucket = new Uint32Array(BUCKETS)
  #requests = 0
  #bytes = 0

  constructor(admission: Pick<Admission, 'count' | 'during'>, limits: InboundLimits = LIMITS) {
    this.#admission = admission
    this.#limits = limits
  }

  readonly guard: onRequestHookHandler = (request, reply, done) => {
    // Who hung up: no `close` would come to give the place back.
    if (reply.raw.destroyed) {
      done(new AppError('bad_request', 'The request broke off.'))
      return
    }
    const { brand } = request.params as { brand: string }
    const bucket = createHmac('sha256', this.#key).update(brand).digest().readUInt32BE() % BUCKETS
    const taken = this.#ofBucket[bucket] ?? 0
    if (this.#requests >= this.#limits.requests || taken >= this.#limits.ofOneBrand) {
      done(full())
      return
    }
    const place: Place = { bucket, arrived: 0, bytes: 0, closed: false, working: false }
    this.#places.set(request, place)
    this.#requests++
    this.#ofBucket[bucket] = taken + 1
    reply.raw.once('close', () => {
      place.closed = true
      this.#releaseWhenOver(place)
    })
    done()
  }

  /** Holds the request's place as long as this work goes on, also where its caller has hung up. */
  async during<T>(request: FastifyRequest, work: Promise<T>): Promise<T> {
    const place = this.#placeOf(request)
    place.working = true
    try {
      return await this.#admission.during(request, work)
    } finally {
      place.working = false
      this.#releaseWhenOver(place)
    }
  }

  /** @throws AppError `unavailable` where they are too many, and nothing more is to be read */
  count(request: FastifyRequest, bytes: number): void {
    const place = this.#placeOf(request)
    this.#admission.count(request, bytes)
    place.arrived += bytes
    const more = Math.max(0, place.arrived - LET_IN) - place.bytes
    if (more > 0 && this.#bytes + more > this.#limits.bytes) throw full()
    place.bytes += more
    this.#bytes += more
  }

  #releaseWhenOver({ bucket, bytes, closed, working }: Place): void {
    if (!closed || working) return
    this.#requests--
    this.#bytes -= bytes
    this.#ofBucket[bucket] = (this.#ofBucket[bucket] ?? 1) - 1
  }

  #placeOf(request: FastifyRequest): Place {
    const place = this.#places.get(request)
    if (place === undefined) throw new Error('a request was let in without a place')
    return place
  }
}

function full(): AppError {
  return unavailable('Too much comes in at once.', 1)
}
