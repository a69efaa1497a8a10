import { setTimeout as pause } from 'node:timers/promises'
import { mailsOf } from '../inbound/answers.ts'
import { addressOf, secretOf } from '../inbound/mail-brands.ts'
import { signedHead } from '../inbound/signed-mail.ts'
import { CallerConnection } from './caller-connection.ts'
import { MailLedger } from './mail-ledger.ts'

export type MailSendersOptions = {
  /** Where Bellhop answers now; null while it is down, and then it is asked again soon. */
  port: () => number | null
  /** How many hand over at once. */
  senders: number
  brand: string
  /** Where the mails go, one to each; when all have theirs, the brand's address takes the rest. */
  to: string[]
  /** Mails that each of them hands over in a second, at most. */
  perSecond: number
  random: () => number
}

/** Bytes of a mail. */
const SIZE = 4000
/** Milliseconds before a sender that was not heard comes again. */
const AGAIN_MS = 20
/** Milliseconds that a sender heeds a Retry-After at most, so that many faults are made in a night. */
const HEED_MS = 250

/**
 * Mail servers that hand over mails: each is handed over until it is taken, whatever happens meanwhile, now and then
 * signed anew, so that it comes as another request.
 */
export class MailSenders {
  readonly ledger = new MailLedger()
  readonly #options: MailSendersOptions
  readonly #next: () => Buffer
  readonly #stopping = new AbortController()
  readonly #giveUp = new AbortController()
  readonly #done: Promise<unknown>

  constructor(options: MailSendersOptions) {
    this.#options = options
    let count = 0
    this.#next = mailsOf(SIZE, () => options.to[count++] ?? addressOf(options.brand))
    this.#done = Promise.all(Array.from({ length: options.senders }, () => this.#send()))
    this.#done.catch(() => {})
  }

  /** Begins no new mail, and waits until each that was begun is taken. Something must answer meanwhile. */
  async stop(): Promise<void> {
    this.#stopping.abort()
    await this.#done
  }

  /** Leaves at once. */
  async abandon(): Promise<void> {
    this.#stopping.abort()
    this.#giveUp.abort()
    await this.#done
  }

  async #send(): Promise<void> {
    const connection = new CallerConnection()
    while (!this.#stopping.signal.aborted) {
      const began = performance.now()
      await this.#handOver(connection, this.#next())
      const left = 1000 / this.#options.perSecond - (performance.now() - began)
      await rest(left, this.#stopping.signal)
    }
    connection.close()
  }

  async #handOver(connection: CallerConnection, mail: Buffer): Promise<void> {
    const { port, brand, random } = this.#options
    const sign = () => signedHead(brand, secretOf(brand), mail, Math.floor(Date.now() / 1000))
    let head = sign()
    this.ledger.begin()
    while (!this.#giveUp.signal.aborted) {
      const where = port()
      if (where === null) {
        await rest(AGAIN_MS, this.#giveUp.signal)
        continue
      }
      const answer = await connection.send(where, Buffer.concat([head, mail]))
      this.ledger.note(mail, answer)
      if (typeof answer !== 'string' && answer.status < 300) return
      const asked = typeof answer === 'string' ? 0 : Number(answer.headers.get('retry-after') ?? 0) * 1000
      if (typeof answer !== 'string' && answer.status !== 503 && answer.status !== 429) return
      await rest(Math.max(AGAIN_MS, Math.min(asked, HEED_MS)), this.#giveUp.signal)
      // Within the same second the signature is the same, and so is the request.
      if (random() < 0.5) head = sign()
    }
  }
}

async function rest(ms: number, signal: AbortSignal): Promise<void> {
  if (ms > 0) await pause(ms, undefined, { signal }).catch(() => {})
}
