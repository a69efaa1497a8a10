import { ImapFlow } from 'imapflow'
import type { ImapMailbox } from '../../config.ts'
import { INBOUND_MAIL_BYTES } from '../mail-bytes.ts'

/** Milliseconds that one command may take, and one that brings a whole mail. */
export type Patience = { command: number; mail: number }

const PATIENCE: Patience = { command: 30_000, mail: 300_000 }
/** Milliseconds without a byte from a server that owes an answer. */
const SILENCE_MS = 90_000
/** Milliseconds for a goodbye. */
const GOODBYE_MS = 1000
/** Bytes of the head of a mail that is too large to be kept, at most. */
const HEAD_BYTES = 1024 * 1024
/** Beside a mail's bytes, in one response. */
const FRAMING = 64 * 1024

/**
 * One connection to one mailbox. It is opened for reading only, and bodies are peeked at, so that what people see of
 * it in their mail program does not change: \Seen is neither set nor asked for. Every command has its time; whatever
 * goes wrong ends the connection, and with it whatever waits.
 */
export class MailboxSession {
  readonly #client: ImapFlow
  readonly #mailbox: string
  readonly #patience: Patience
  /** Fails when the connection ends: the library leaves some of its commands waiting then. */
  readonly #ended: Promise<never>
  #news = false
  #wake: () => void = () => {}

  private constructor(client: ImapFlow, mailbox: string, patience: Patience) {
    this.#client = client
    this.#mailbox = mailbox
    this.#patience = patience
    client.on('exists', () => {
      this.#news = true
      this.#wake()
    })
    const { promise, reject } = Promise.withResolvers<never>()
    this.#ended = promise
    promise.catch(() => undefined)
    let fault: unknown = new ImapRefused('CONNECTION_ENDED')
    // What is at fault ends the connection; without a listener it would end the process.
    client.on('error', (error) => {
      fault = error
      client.close()
    })
    client.on('close', () => {
      reject(fault)
      this.#wake()
    })
  }

  /** Connects and logs in. @param signal ends it. @throws Error, see `imapFault` */
  static async open(
    settings: ImapMailbox,
    signal: AbortSignal,
    patience = PATIENCE,
  ): Promise<MailboxSession> {
    const client = new ImapFlow({
      host: settings.host,
      port: settings.port,
      secure: settings.secure,
      doSTARTTLS: settings.requireTls,
      tls: { minVersion: 'TLSv1.2' },
      auth: { user: settings.user, pass: settings.pass },
      clientInfo: { name: 'bellhop' },
      logger: false,
      disableAutoIdle: true,
      disableBinary: true,
      disableCompression: true,
      connectionTimeout: patience.command,
      greetingTimeout: patience.command,
      socketTimeout: SILENCE_MS,
      maxLineLength: 16 * 1024 * 1024,
      maxLiteralSize: INBOUND_MAIL_BYTES + FRAMING,
      maxResponseSize: INBOUND_MAIL_BYTES + 2 * FRAMING + 16 * 1024 * 1024,
    })
    const session = new MailboxSession(client, settings.mailbox, patience)
    signal.throwIfAborted()
    const cut = () => session.cut()
    signal.addEventListener('abort', cut)
    try {
      await session.#within(2 * patience.command, () => client.connect())
      return session
    } catch (error) {
      session.cut()
      throw error
    } finally {
      signal.removeEventListener('abort', cut)
    }
  }

  /** Opens the mailbox, or looks at it anew. @returns its UIDVALIDITY. @throws Error */
  async look(): Promise<bigint> {
    const opened = await this.#within(this.#patience.command, () =>
      this.#client.mailboxOpen(this.#mailbox, { readOnly: true }),
    )
    this.#news = false
    if (typeof opened.uidValidity !== 'bigint') throw new ImapRefused('NO_UIDVALIDITY')
    return opened.uidValidity
  }

  /** The UIDs of the mails behind this one, in their order. @throws Error */
  async uidsAfter(uid: number): Promise<number[]> {
    const found = await this.#within(this.#patience.command, () =>
      this.#client.search({ uid: `${uid + 1}:*` }, { uid: true }),
    )
    if (!Array.isArray(found)) throw new ImapRefused('SEARCH_REFUSED')
    // `n:*` is never empty: where nothing is behind n, it is the last one (RFC 3501, section 9, seq-range).
    return found.filter((one) => one > uid).sort((a, b) => a - b)
  }

  /** Sizes in bytes as the server has them; a mail that is gone has none. @throws Error */
  async sizes(uids: number[]): Promise<Map<number, number>> {
    const rows = await this.#within(this.#patience.command, () =>
      this.#client.fetchAll(uids.join(','), { uid: true, size: true }, { uid: true }),
    )
    return new Map(rows.map((row) => [row.uid, row.size ?? 0]))
  }

  /**
   * A mail as it is, or its first bytes where it is larger than may be kept.
   * @returns null where it is gone
   * @throws Error
   */
  async mail(uid: number): Promise<Buffer | null> {
    const query = { uid: true, source: { start: 0, maxLength: INBOUND_MAIL_BYTES + 1 } }
    const row = await this.#within(this.#patience.mail, () =>
      this.#client.fetchOne(String(uid), query, { uid: true }),
    )
    if (row === false || row === undefined) return await this.#gone(uid)
    if (row.source === undefined) throw new ImapRefused('NO_BODY')
    return row.source
  }

  /** A mail's head, or its first part; null where the mail is gone. @throws Error */
  async head(uid: number): Promise<Buffer | null> {
    const query = { uid: true, bodyParts: [{ key: 'HEADER', start: 0, maxLength: HEAD_BYTES }] }
    const row = await this.#within(this.#patience.mail, () =>
      this.#client.fetchOne(String(uid), query, { uid: true }),
    )
    if (row === false || row === undefined) return await this.#gone(uid)
    if (row.headers === undefined) throw new ImapRefused('NO_HEAD')
    return row.headers
  }

  /** A server that answers nothing for a mail means that it is gone; one that has it all the same does not. */
  async #gone(uid: number): Promise<null> {
    const [first] = await this.uidsAfter(uid - 1)
    if (first === uid) throw new ImapRefused('MAIL_NOT_GIVEN')
    return null
  }

  /** Waits until the server tells of something, the connection ends, or `ms` milliseconds have passed. */
  async news(ms: number): Promise<void> {
    if (this.#news || !this.#client.usable) return
    const { promise, resolve } = Promise.withResolvers<void>()
    this.#wake = resolve
    const timer = setTimeout(resolve, ms)
    // The next command ends it (RFC 2177). A server that cannot is asked when the time is over.
    if (this.#client.capabilities.has('IDLE')) this.#client.idle().catch(() => resolve())
    try {
      await promise
    } finally {
      clearTimeout(timer)
      this.#wake = () => {}
    }
  }

  /** Ends the connection at once, and whatever waits for it. */
  cut(): void {
    this.#client.close()
  }

  /** Says goodbye, briefly. */
  async close(): Promise<void> {
    if (this.#client.usable)
      await this.#within(GOODBYE_MS, () => this.#client.logout()).catch(() => undefined)
    this.#client.close()
  }

  async #within<T>(ms: number, command: () => Promise<T>): Promise<T> {
    const { promise: late, reject } = Promise.withResolvers<never>()
    const timer = setTimeout(() => {
      reject(new ImapRefused('TOO_SLOW'))
      this.#client.close()
    }, ms)
    try {
      return await Promise.race([command(), this.#ended, late])
    } finally {
      clearTimeout(timer)
    }
  }
}

/** The server answers, and not as it must. */
export class ImapRefused extends Error {
  override readonly name = 'ImapRefused'
  readonly code: string

  constructor(code: string) {
    super('The IMAP server did not answer as it must')
    this.code = code
  }
}

/**
 * Was it this mail, and not the connection, that went wrong? The server said so, or gave something that cannot be read.
 */
export function isOfTheMail(error: unknown): boolean {
  if (typeof error !== 'object' || error === null) return false
  const code: unknown = Reflect.get(error, 'code')
  if (code === 'TOO_SLOW' || code === 'CONNECTION_ENDED') return false
  if (error instanceof ImapRefused || typeof Reflect.get(error, 'responseStatus') === 'string') return true
  return (
    typeof code === 'string' &&
    /^(?:Parser|LiteralTooLarge|ResponseTooLarge|LineTooLarge|TooManyTokens)/.test(code)
  )
}

/** What a log may hold of a fault: a stable code, and nothing that the server wrote. */
export function imapFault(error: unknown): string {
  if (typeof error !== 'object' || error === null) return 'UNKNOWN'
  if (Reflect.get(error, 'authenticationFailed') === true) return 'LOGIN_REFUSED'
  if (Reflect.get(error, 'mailboxMissing') === true) return 'NO_MAILBOX'
  const code: unknown = Reflect.get(error, 'code')
  if (typeof code === 'string') return code
  return typeof Reflect.get(error, 'responseStatus') === 'string' ? 'REFUSED' : 'UNKNOWN'
}
