import { CallerConnection, type HttpAnswer } from './caller-connection.ts'
import { CHANGING, LIMITED, OPAQUE, PER_MINUTE } from './clock-brands.ts'
import type { ClockIssuer } from './clock-issuer.ts'
import type { Ledger } from './ledger.ts'
import { until } from './processes.ts'

/** Seconds in which a key that an issuer adds is known, a revoked token is refused, and a person's minute is over. */
export const MINUTE = 60

/** What a probe may be answered and a caller may not. */
const REFUSED = [401, 429]

/** Files tickets by tokens of several kinds, and tells how each is judged around a jump of the clock. */
export class ClockProbes {
  readonly #connection = new CallerConnection()
  readonly #port: () => number
  readonly #ledger: Ledger
  readonly #issuer: ClockIssuer
  #made = 0
  /** The most that a 429 asked to wait for, in seconds. */
  longestLimit = 0
  /** How often somebody was over the limit, and how often nobody was whose minute was to be used up. */
  limited = 0
  unlimited = 0
  /** The longest that a new key was unknown, and that a revoked token was good, in seconds. */
  longestUnknown = 0
  longestRevoked = 0
  keys = 0

  constructor(port: () => number, ledger: Ledger, issuer: ClockIssuer) {
    this.#port = port
    this.#ledger = ledger
    this.#issuer = issuer
  }

  /** Files one ticket. @returns the answer's status */
  async file(brand: string, person: string, token: string): Promise<number> {
    return (await this.#file(brand, person, token)).status
  }

  /** Uses up a person's minute: the last ticket is one too many, whatever was filed before. */
  async useUp(person: string, token: string): Promise<void> {
    const before = this.limited
    for (let ticket = 0; ticket <= PER_MINUTE; ticket++) {
      const { status, headers } = await this.#file(LIMITED, person, token)
      if (status !== 429) continue
      this.limited++
      this.longestLimit = Math.max(this.longestLimit, Number(headers.get('retry-after')))
    }
    if (this.limited === before) this.unlimited++
  }

  /** A key is added, and a token of it is shown until it is taken. */
  async changeKey(signal: AbortSignal): Promise<void> {
    await this.#issuer.changeKey()
    this.keys++
    const token = await this.#issuer.token('per_keys')
    const taken = async () => (await this.file(CHANGING, 'per_keys', token)) === 201
    this.longestUnknown = Math.max(
      this.longestUnknown,
      await secondsUntil('a new key is known', taken, signal),
    )
  }

  /** A token that was good a moment ago. @returns what revokes it, and shows it until it is refused */
  async opaque(): Promise<(signal: AbortSignal) => Promise<void>> {
    const token = this.#issuer.opaqueToken('per_opaque')
    if ((await this.file(OPAQUE, 'per_opaque', token)) !== 201)
      throw new Error('an opaque token was not taken')
    return async (signal) => {
      this.#issuer.revoke(token)
      const refused = async () => (await this.file(OPAQUE, 'per_opaque', token)) === 401
      const seconds = await secondsUntil('a revoked token is refused', refused, signal)
      this.longestRevoked = Math.max(this.longestRevoked, seconds)
    }
  }

  close(): void {
    this.#connection.close()
  }

  async #file(brand: string, person: string, token: string): Promise<HttpAnswer> {
    this.#ledger.begin()
    const key = `${this.#ledger.run}-probe-${this.#made++}`
    const body = JSON.stringify({
      brand_id: brand,
      person_id: person,
      requester_email: 'ada@example.com',
      subject: `About ${key}`,
      body: 'It has not arrived.',
    })
    const request = Buffer.from(
      `POST /v1/support/tickets HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer ${token}\r\n` +
        `Content-Type: application/json\r\nIdempotency-Key: ${key}\r\n` +
        `Content-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`,
    )
    const answer = await this.#connection.send(this.#port(), request)
    if (typeof answer === 'string') throw new Error(`a probe had no answer: ${answer}`)
    // Whether a probe is refused rightly is judged where it was sent; of the callers nobody may be refused.
    if (!REFUSED.includes(answer.status)) this.#ledger.note(key, brand, answer)
    return answer
  }
}

async function secondsUntil(what: string, is: () => Promise<boolean>, signal: AbortSignal): Promise<number> {
  const since = performance.now()
  await until(what, is, { ms: 120_000, every: 250, signal })
  return (performance.now() - since) / 1000
}
