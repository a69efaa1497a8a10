import { setTimeout as sleep } from 'node:timers/promises'
import type { BlobFolder } from '../../blobs/blob-folder.ts'
import type { ImapMailbox } from '../../config.ts'
import type { Database } from '../../database/pool.ts'
import type { Log } from '../../log.ts'
import {
  beginMailboxAnew,
  type ImapCursor,
  leaseMailbox,
  type MailboxLease,
  releaseMailbox,
  renewMailbox,
} from './imap-cursor.store.ts'
import { MailboxReader } from './mailbox-reader.ts'
import { imapFault, MailboxSession, type Patience } from './mailbox-session.ts'
import { mailboxUrl } from './mailbox-url.ts'

/** Milliseconds. */
export type MailboxPace = {
  /** Between two looks, also where the server tells of new mail by itself. */
  poll: number
  /** After the first break; each further one doubles it, up to the longest. */
  pause: number
  longestPause: number
  /** Of the lease, by which one process reads a mailbox. */
  lease: number
  /** Of commands; see `MailboxSession`. */
  patience?: Patience
}

const PACE: MailboxPace = { poll: 60_000, pause: 1000, longestPause: 5 * 60_000, lease: 30_000 }
const STATEMENT_MS = 5000

export type MailboxWatchDeps = {
  brandId: string
  settings: ImapMailbox
  database: Pick<Database, 'run'>
  blobs: Pick<BlobFolder, 'put'>
  /** This process, as its leases name it. */
  holder: string
  /** Hears of each mail once it is safe. */
  onKept: () => void
  log: Log
  random: () => number
  pace?: MailboxPace | undefined
}

/**
 * Reads one brand's mailbox for as long as the program runs: one process at a time, on one connection, from where it was
 * left, whatever broke. A mail is passed only in the COMMIT that keeps it.
 */
export class MailboxWatch {
  readonly #deps: MailboxWatchDeps
  readonly #lease: MailboxLease
  readonly #pace: MailboxPace
  readonly #reader: MailboxReader
  readonly #stopping = new AbortController()
  #session: MailboxSession | null = null
  #holds = false
  #lookedAt = Number.NEGATIVE_INFINITY
  #failures = 0
  #done: Promise<void> = Promise.resolve()

  constructor(deps: MailboxWatchDeps) {
    this.#deps = deps
    this.#pace = deps.pace ?? PACE
    this.#lease = {
      brandId: deps.brandId,
      mailbox: mailboxUrl(deps.settings),
      holder: deps.holder,
      lease: this.#pace.lease / 1000,
    }
    this.#reader = new MailboxReader({ ...deps, lease: this.#lease })
  }

  /** Seconds since the last look that ended well, infinite before one; null where another process reads the mailbox. */
  get age(): number | null {
    return this.#holds ? (performance.now() - this.#lookedAt) / 1000 : null
  }

  start(): void {
    this.#done = this.#run()
  }

  /** Ends the connection and gives the lease back. */
  async stop(): Promise<void> {
    this.#stopping.abort()
    await this.#session?.close()
    await this.#done
  }

  async #run(): Promise<void> {
    const { database, log, brandId } = this.#deps
    while (!this.#stopping.signal.aborted) {
      try {
        const cursor = await database.run(STATEMENT_MS, (sql) => leaseMailbox(sql, this.#lease))
        this.#holds = cursor !== null
        if (cursor !== null) await this.#hold(cursor)
      } catch (error) {
        if (this.#stopping.signal.aborted) break
        this.#failures++
        // Said once, and again when it is over.
        if (this.#failures === 1) log.warn('imap_broken', { brand_id: brandId, code: imapFault(error) })
        else log.debug('imap_broken', { brand_id: brandId, code: imapFault(error), attempt: this.#failures })
      }
      await this.#pause()
    }
    this.#holds = false
    // Who does not get it back waits for its end.
    await database.run(STATEMENT_MS, (sql) => releaseMailbox(sql, this.#lease)).catch(() => undefined)
  }

  async #hold(cursor: ImapCursor): Promise<void> {
    const session = await MailboxSession.open(this.#deps.settings, this.#stopping.signal, this.#pace.patience)
    this.#session = session
    const renewing = setInterval(() => void this.#renew(session), this.#pace.lease / 3)
    try {
      let from = cursor
      while (!this.#stopping.signal.aborted) {
        from = await this.#look(session, from)
        await session.news(this.#pace.poll)
      }
    } finally {
      clearInterval(renewing)
      this.#session = null
      await session.close()
    }
  }

  async #look(session: MailboxSession, cursor: ImapCursor): Promise<ImapCursor> {
    const { database, log, brandId } = this.#deps
    const uidValidity = await session.look()
    let from = cursor
    if (uidValidity !== cursor.uidValidity) {
      if (cursor.uidValidity !== 0n) log.warn('imap_mailbox_reset', { brand_id: brandId })
      const held = await database.run(STATEMENT_MS, (sql) => beginMailboxAnew(sql, this.#lease, uidValidity))
      if (!held) throw new LeaseLost()
      from = { uidValidity, lastUid: 0 }
    }
    const { lastUid, lost } = await this.#reader.readFrom(session, from, () => this.#progressed())
    if (lost) throw new LeaseLost()
    this.#progressed()
    this.#lookedAt = performance.now()
    return { uidValidity, lastUid }
  }

  #progressed(): void {
    if (this.#failures > 0) this.#deps.log.info('imap_back', { brand_id: this.#deps.brandId })
    this.#failures = 0
  }

  async #renew(session: MailboxSession): Promise<void> {
    const held = await this.#deps.database
      .run(STATEMENT_MS, (sql) => renewMailbox(sql, this.#lease))
      // While the database is away nothing is kept, and what is kept later is kept only by whoever has the lease.
      .catch(() => true)
    if (!held) session.cut()
  }

  async #pause(): Promise<void> {
    const { pause, longestPause, lease } = this.#pace
    const { random } = this.#deps
    // Full jitter, so that all brands do not come back to one server at once; and who only waits for the lease looks
    // about as often as it ends.
    const ms = this.#holds
      ? Math.min(longestPause, pause * 2 ** Math.max(0, this.#failures - 1)) * random()
      : (lease / 3) * (0.8 + 0.4 * random())
    await sleep(ms, undefined, { signal: this.#stopping.signal }).catch(() => undefined)
  }
}

/** Another process reads the mailbox now. */
class LeaseLost extends Error {
  override readonly name = 'LeaseLost'
  readonly code = 'LEASE_LOST'
}
