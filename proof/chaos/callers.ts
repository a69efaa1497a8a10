import { setTimeout as pause } from 'node:timers/promises'
import { CallerConnection, type HttpAnswer, type NoAnswer } from './caller-connection.ts'
import type { Person } from './issuer.ts'
import type { Ledger } from './ledger.ts'

/** How one request of a caller ended. */
export type Outcome = {
  key: string
  /** What came back, or why nothing did. */
  answer: HttpAnswer | NoAnswer
  /** When it was sent and when it ended, by `performance.now()`. */
  sentAt: number
  endedAt: number
}

export type CallersOptions = {
  /** Where Bellhop answers now; null while it is down, and then it is asked again soon. */
  port: () => number | null
  /** How many call at once. */
  callers: number
  persons: Person[]
  /** The tickets go to these brands in turn. */
  brands: string[]
  ledger: Ledger
  /** Tickets that each of them files in a second, at most; no limit unless told. */
  perSecond?: number
  /** Milliseconds after which a caller takes an answer for lost; 15,000 unless told. */
  patience?: number
  /** Milliseconds that a caller heeds a Retry-After at most; 250 unless told. */
  retryAfter?: number
  /** Hears how each request ended. */
  observe?: (outcome: Outcome) => void
  /** False: a connection for each request. */
  keepAlive?: boolean
  /** A body of this many characters; 200 unless told. */
  bodyLength?: number
  /** An attachment of this many bytes, which are each ticket's own; none unless told. */
  attachmentBytes?: number
}

/** Milliseconds before a caller whose connection was refused or broke calls again. */
const AGAIN_MS = 20

/**
 * Callers as a product's backend is one: a ticket with an Idempotency-Key, and the same again until it is
 * answered, whatever happens to the server meanwhile. Statuses other than 201, 409 (still under way) and 503
 * are not tried again.
 */
export class Callers {
  readonly #options: CallersOptions
  readonly #stopping = new AbortController()
  readonly #giveUp = new AbortController()
  readonly #done: Promise<unknown>

  constructor(options: CallersOptions) {
    this.#options = options
    this.#done = Promise.all(Array.from({ length: options.callers }, () => this.#call()))
    this.#done.catch(() => {})
  }

  /** Begins no new ticket, and waits until each that was begun is answered. Something must answer meanwhile. */
  async stop(): Promise<void> {
    this.#stopping.abort()
    await this.#done
  }

  /** Leaves at once, whatever is unanswered. */
  async abandon(): Promise<void> {
    this.#stopping.abort()
    this.#giveUp.abort()
    await this.#done
  }

  async #call(): Promise<void> {
    const connection = new CallerConnection()
    const { perSecond } = this.#options
    let next = performance.now()
    while (!this.#stopping.signal.aborted) {
      if (perSecond !== undefined) {
        next = Math.max(next + 1000 / perSecond, performance.now() - 1000)
        await this.#rest(next - performance.now(), this.#stopping.signal)
        if (this.#stopping.signal.aborted) break
      }
      await this.#file(connection)
    }
    connection.close()
  }

  async #file(connection: CallerConnection): Promise<void> {
    const {
      ledger,
      persons,
      brands,
      port,
      patience,
      retryAfter = 250,
      observe,
      keepAlive = true,
    } = this.#options
    const number = ledger.begin()
    const person = persons[number % persons.length]
    const brand = brands[number % brands.length]
    if (person === undefined || brand === undefined) throw new Error('nobody calls')
    const key = `${ledger.run}-${number}`
    const request = this.#request(key, brand, person)
    while (!this.#giveUp.signal.aborted) {
      const where = port()
      if (where === null) {
        await this.#rest(AGAIN_MS, this.#giveUp.signal)
        continue
      }
      const sentAt = performance.now()
      const answer = await connection.send(where, request, patience)
      if (!keepAlive) connection.close()
      observe?.({ key, answer, sentAt, endedAt: performance.now() })
      ledger.note(key, brand, answer)
      if (typeof answer === 'string') await this.#rest(AGAIN_MS, this.#giveUp.signal)
      else if (answer.status === 503 || answer.status === 409) {
        const asked = Number(answer.headers.get('retry-after') ?? 1) * 1000
        await this.#rest(Math.min(asked, retryAfter), this.#giveUp.signal)
      } else return
    }
  }

  #request(key: string, brand: string, person: Person): Buffer {
    const { bodyLength = 200, attachmentBytes, keepAlive = true } = this.#options
    const body = JSON.stringify({
      brand_id: brand,
      person_id: person.id,
      requester_email: 'ada@example.com',
      requester_name: 'Ada Lovelace',
      subject: `About ${key}`,
      body: `${key} `.padEnd(bodyLength, 'It has not arrived. '),
      ...(attachmentBytes === undefined ? {} : { attachment: attachmentOf(key, attachmentBytes) }),
    })
    return Buffer.from(
      `POST /v1/support/tickets HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer ${person.token}\r\n` +
        `Content-Type: application/json\r\nIdempotency-Key: ${key}\r\n` +
        `Connection: ${keepAlive ? 'keep-alive' : 'close'}\r\n` +
        `Content-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`,
    )
  }

  async #rest(ms: number, signal: AbortSignal): Promise<void> {
    if (ms <= 0) return
    await pause(ms, undefined, { signal }).catch(() => {})
  }
}

function attachmentOf(key: string, bytes: number): { filename: string; content_base64: string } {
  const content = Buffer.alloc(bytes, `${key} `)
  return { filename: 'order.txt', content_base64: content.toString('base64') }
}
