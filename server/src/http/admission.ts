import type { FastifyReply, FastifyRequest, onRequestHookHandler } from 'fastify'
import { unavailable } from '../errors.ts'

export type AdmissionLimits = {
  /** Requests in flight. */
  requests: number
  /** Bytes of their bodies together. */
  bytes: number
  /** Bytes of one body; what a request without a length is counted as. */
  bytesOfOne: number
}

/** Keeps the tickets in flight, and their bytes, within what the process can bear; the rest is 503. */
export class Admission {
  readonly #limits: AdmissionLimits
  #requests = 0
  #bytes = 0

  constructor(limits: AdmissionLimits) {
    this.#limits = limits
  }

  get isFull(): boolean {
    return this.#requests >= this.#limits.requests || this.#bytes >= this.#limits.bytes
  }

  readonly guard: onRequestHookHandler = (request, reply, done) => {
    const bytes = this.#bytesOf(request)
    if (this.#requests >= this.#limits.requests || this.#bytes + bytes > this.#limits.bytes) {
      done(unavailable('The server is full.', 1))
      return
    }
    this.#requests++
    this.#bytes += bytes
    this.#onceOver(reply, () => {
      this.#requests--
      this.#bytes -= bytes
    })
    done()
  }

  #bytesOf(request: FastifyRequest): number {
    const length = request.headers['content-length']
    if (length === undefined && request.headers['transfer-encoding'] === undefined) return 0
    // A length over the limit is refused without being read.
    return Math.min(Number(length ?? this.#limits.bytesOfOne), this.#limits.bytesOfOne)
  }

  // `close` comes for every response, also where the client went away.
  #onceOver(reply: FastifyReply, release: () => void): void {
    reply.raw.once('close', release)
  }
}
