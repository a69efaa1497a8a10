import type { Brand } from '../config.ts'
import { isDatabaseAway } from '../database/pool.ts'
import { toId } from '../ids.ts'
import type { Log } from '../log.ts'
import type { ReadingPool } from './reading/reading-pool.ts'
import { type ClaimedMail, claimMails, postponeMail, renewMails, type SettledAs } from './settle.store.ts'
import { NotReadNow, type Settled, type SettleMailDeps, settleMail } from './settle-mail.ts'

const POLL_MS = 1000
const POLL_WHILE_AWAY_MS = 3000
const STATEMENT_MS = 5000
const RENEW_MS = 20_000
/**
 * Mails at once, and bytes of them: what a mail is read into is several times as large. Those that wait for DNS are
 * beside them, or a silent server would keep everybody's mail: the pool that reads bounds those, and their bytes.
 */
const AT_ONCE = 8
const BYTES_AT_ONCE = 64 * 1024 * 1024
/** Seconds before a mail that DNS or a fault kept from being settled is tried again: first, and at most. */
const FIRST_WAIT = 30
const LONGEST_WAIT = 60 * 60
/** Milliseconds that a mail in hand has when the process is told to stop, before its reading is ended. */
const LAST_MS = 2000

export type SettlerDeps = SettleMailDeps & {
  brands: Map<string, Brand>
  /** Closed with this. */
  reading: ReadingPool
  log: Log
  random: () => number
  /** Hears of each mail that was settled. */
  observe: (settled: { brandId: string; as: SettledAs }) => void
  /** There is something to carry. */
  onPromise: () => void
}

type InHand = { mail: ClaimedMail; isAsking: boolean; done: Promise<void> }

/**
 * The loop that settles mails that came. It wakes by a timer with jitter, and at once when one was kept by this process
 * or when one is done while more may wait.
 */
export class Settler {
  readonly #deps: SettlerDeps
  readonly #inHand = new Set<InHand>()
  #renewal: NodeJS.Timeout | undefined
  #mayBeMore = false
  #woken = false
  #wake: () => void = () => {}
  #stopped = false
  #done: Promise<void> = Promise.resolve()

  constructor(deps: SettlerDeps) {
    this.#deps = deps
  }

  start(): void {
    this.#renewal = setInterval(() => void this.#renew(), RENEW_MS)
    this.#renewal.unref()
    this.#done = this.#run()
  }

  /** A mail came: look now. */
  wake(): void {
    this.#woken = true
    this.#wake()
  }

  /** Takes no more, and gives back what it cannot settle within about two seconds. */
  async stop(): Promise<void> {
    this.#stopped = true
    this.wake()
    await this.#done
    const { promise: late, resolve } = Promise.withResolvers<void>()
    const timer = setTimeout(resolve, LAST_MS)
    await Promise.race([this.#all(), late]).finally(() => clearTimeout(timer))
    await this.#deps.reading.close()
    await this.#all()
    clearInterval(this.#renewal)
  }

  async #all(): Promise<void> {
    await Promise.all([...this.#inHand].map(({ done }) => done))
  }

  async #run(): Promise<void> {
    let away = false
    while (!this.#stopped) {
      this.#woken = false
      try {
        await this.#claim()
        if (away) this.#deps.log.info('settler_back')
        away = false
      } catch (error) {
        if (!away) this.#deps.log.fault('settler_cannot_claim', error)
        away = true
      }
      // While the database is away new mail does not make it come back sooner.
      if (away) this.#woken = false
      await this.#sleep(away ? POLL_WHILE_AWAY_MS : POLL_MS)
    }
  }

  async #claim(): Promise<void> {
    const { database, holder, brands } = this.#deps
    const free = this.#free()
    if (free === 0) return
    const claimed = await database.run(STATEMENT_MS, (sql) =>
      claimMails(sql, holder, [...brands.keys()], free),
    )
    this.#mayBeMore = claimed.length === free
    for (const mail of claimed) {
      const inHand: InHand = { mail, isAsking: false, done: Promise.resolve() }
      this.#inHand.add(inHand)
      inHand.done = this.#settle(inHand).finally(() => {
        this.#inHand.delete(inHand)
        if (this.#mayBeMore) this.wake()
      })
    }
  }

  /** How many more may be in hand. */
  #free(): number {
    const atWork = [...this.#inHand].filter(({ isAsking }) => !isAsking)
    const bytes = atWork.reduce((sum, { mail }) => sum + mail.size, 0)
    return bytes >= BYTES_AT_ONCE ? 0 : Math.max(0, AT_ONCE - atWork.length)
  }

  async #renew(): Promise<void> {
    const { database, holder, log } = this.#deps
    const held = [...this.#inHand].map(({ mail }) => mail)
    if (held.length === 0) return
    try {
      await database.run(STATEMENT_MS, (sql) => renewMails(sql, holder, held))
    } catch (error) {
      log.fault('settler_cannot_renew', error)
    }
  }

  async #settle(inHand: InHand): Promise<void> {
    const { brands, log } = this.#deps
    const { mail } = inHand
    const onAsking = (isAsking: boolean) => {
      inHand.isAsking = isAsking
      if (isAsking && this.#mayBeMore) this.wake()
    }
    try {
      const brand = brands.get(mail.brandId)
      if (brand === undefined) throw new Error('a mail was claimed for a brand that is not configured')
      const settled = await settleMail(this.#deps, mail, brand, onAsking)
      if (settled.as === 'later') await this.#postpone(mail, false)
      else this.#tell(mail, settled)
    } catch (error) {
      if (!this.#stopped) log.fault('mail_not_settled', error, { ...idsOf(mail), attempt: mail.attempt })
      await this.#postpone(mail, !this.#stopped && isOfTheMail(error)).catch(() => {
        // The lease runs out.
      })
    }
  }

  #tell(mail: ClaimedMail, settled: Exclude<Settled, { as: 'later' }>): void {
    const { log, observe, onPromise } = this.#deps
    if (settled.as === 'lost') {
      log.warn('mail_settled_elsewhere', idsOf(mail))
      return
    }
    const { as, reason, isPromise } = settled
    observe({ brandId: mail.brandId, as })
    log.info('mail_settled', { ...idsOf(mail), outcome: as, ...(reason === null ? {} : { code: reason }) })
    if (isPromise) onPromise()
  }

  async #postpone(mail: ClaimedMail, failed: boolean): Promise<void> {
    const { database, holder, random } = this.#deps
    const wait = Math.min(LONGEST_WAIT, FIRST_WAIT * 2 ** Math.min(mail.attempt - 1, 20))
    const delay = this.#stopped ? 0 : wait * (0.5 + 0.5 * random())
    await database.run(STATEMENT_MS, (sql) => postponeMail(sql, holder, mail, delay, failed))
  }

  #sleep(ms: number): Promise<void> {
    if (this.#woken || this.#stopped) return Promise.resolve()
    const { promise, resolve } = Promise.withResolvers<void>()
    const timer = setTimeout(resolve, ms * (0.8 + 0.4 * this.#deps.random()))
    this.#wake = () => {
      clearTimeout(timer)
      resolve()
    }
    return promise
  }
}

function idsOf({ brandId, mailId }: ClaimedMail): { brand_id: string; inbound_id: string } {
  return { brand_id: brandId, inbound_id: toId('inb', mailId) }
}

/** A disk, a database or a thread that is away is no fault of the mail. */
function isOfTheMail(error: unknown): boolean {
  if (isDatabaseAway(error) || error instanceof NotReadNow) return false
  return !(error instanceof Error && ('syscall' in error || error.name === 'BlobDamaged'))
}
