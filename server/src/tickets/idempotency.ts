import { hash } from 'node:crypto'
import type { NewTicket } from '@bellhop/contract'
import { AppError } from '../errors.ts'
import type { IdempotencyKeyRow } from './new-ticket.store.ts'

/** How long a request waits for an equal one that is not committed yet, in milliseconds. */
export const IDEMPOTENCY_WAIT = 2000

/**
 * The key as the database holds it: a digest of what it is scoped to, and one of the request by the schema's
 * fields after decoding, so that key order and unknown fields do not count.
 * @param contentSha256 of the attachment's decoded bytes, in hexadecimal; null where there is none
 */
export function idempotencyKeyRow(
  key: string,
  issuer: string,
  ticket: NewTicket,
  contentSha256: string | null,
): IdempotencyKeyRow {
  const { attachment: file } = ticket
  return {
    digest: digest([issuer, ticket.person_id, ticket.brand_id, key]),
    requestHash: digest([
      ticket.brand_id,
      ticket.person_id,
      ticket.requester_email,
      ticket.requester_name ?? null,
      ticket.subject,
      ticket.body,
      file ? [file.filename, contentSha256, file.content_type ?? null] : null,
    ]),
  }
}

/** Whose key it is: the same text of another person, or for another brand, is another key. */
export type KeyScope = { issuer: string; personId: string; brandId: string }

/**
 * The key of a request about a ticket that is there already.
 * @param request method, path and the schema's fields after decoding; files by their SHA-256
 */
export function requestKeyRow(
  key: string,
  { issuer, personId, brandId }: KeyScope,
  request: unknown[],
): IdempotencyKeyRow {
  return { digest: digest([issuer, personId, brandId, key]), requestHash: digest(request) }
}

// JSON keeps the borders between the parts, so that no two lists of parts share a text.
function digest(parts: unknown[]): Buffer {
  return hash('sha256', JSON.stringify(parts), 'buffer')
}

export function idempotencyConflict(): AppError {
  return new AppError(
    'idempotency_conflict',
    'A request with the same Idempotency-Key is still being worked on.',
    {
      headers: { 'retry-after': '1' },
    },
  )
}

export function idempotencyMismatch(): AppError {
  return new AppError('idempotency_mismatch', 'The same Idempotency-Key came with another body.')
}

/**
 * The keys that this process is working on. The database decides whose a key is; this spares the pool from
 * requests that would only wait there, and tells a request with another body so while the first is in flight.
 * Bounded by the requests in flight.
 */
export class KeysInFlight {
  readonly #requests = new Map<string, { requestHash: Buffer; done: Promise<void> }>()

  /**
   * Waits until no other request of this process works on the key, and marks it as this one's.
   * @returns what to call once the ticket is committed or refused
   * @throws AppError `idempotency_mismatch`, or `idempotency_conflict` after {@link IDEMPOTENCY_WAIT}
   */
  async enter(key: IdempotencyKeyRow): Promise<() => void> {
    const name = key.digest.toString('base64')
    const deadline = performance.now() + IDEMPOTENCY_WAIT
    for (let other = this.#requests.get(name); other !== undefined; other = this.#requests.get(name)) {
      if (!other.requestHash.equals(key.requestHash)) throw idempotencyMismatch()
      const left = deadline - performance.now()
      if (left <= 0 || !(await endsWithin(other.done, left))) throw idempotencyConflict()
    }
    const { promise, resolve } = Promise.withResolvers<void>()
    this.#requests.set(name, { requestHash: key.requestHash, done: promise })
    return () => {
      // It is called at COMMIT and once more at the end, when the mark may be another's.
      if (this.#requests.get(name)?.done === promise) this.#requests.delete(name)
      resolve()
    }
  }
}

async function endsWithin(done: Promise<void>, ms: number): Promise<boolean> {
  const { promise: timeout, resolve } = Promise.withResolvers<false>()
  const timer = setTimeout(resolve, ms, false)
  try {
    return await Promise.race([done.then(() => true), timeout])
  } finally {
    clearTimeout(timer)
  }
}
