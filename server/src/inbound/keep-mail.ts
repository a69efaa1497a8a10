import type { BlobFolder } from '../blobs/blob-folder.ts'
import { type Database, isDatabaseAway } from '../database/pool.ts'
import { newUuid } from '../ids.ts'
import { type InboundMailRow, type InboundWay, keepInboundMails } from './inbound-mail.store.ts'
import { digestMail } from './mail-bytes.ts'

/** Milliseconds that a mail whose bytes are written waits to be kept. */
const LIMIT_MS = 5000
/** Statements at once. While they run, what comes gathers for the next one. */
const LANES = 2
/** Of one statement. */
const ROWS = 64

export type IncomingMail = {
  brandId: string
  way: InboundWay
  raw: Buffer
  /** Of the signed request that brought it; null: it came otherwise. */
  requestDigest: Buffer | null
}

/** `before`: its request was seen before, and this is the mail that it brought then. */
export type KeptMail = { mailId: string; before: boolean }

type Waiting = {
  row: InboundMailRow
  deadline: number
  resolve: (before: string | null) => void
  reject: (error: unknown) => void
}

/**
 * Makes mails safe: the bytes are written through to the disk, then the row that says so is committed. Mails that come
 * at the same time share one statement and one COMMIT; one that comes alone goes alone and at once.
 */
export class MailKeeper {
  readonly #database: Pick<Database, 'run'>
  readonly #blobs: Pick<BlobFolder, 'put'>
  readonly #onKept: (mail: { brandId: string; way: InboundWay }) => void
  readonly #queue: Waiting[] = []
  #running = 0

  /** @param deps.onKept hears of each mail once it is safe */
  constructor(deps: {
    database: Pick<Database, 'run'>
    blobs: Pick<BlobFolder, 'put'>
    onKept?: (mail: { brandId: string; way: InboundWay }) => void
  }) {
    this.#database = deps.database
    this.#blobs = deps.blobs
    this.#onKept = deps.onKept ?? (() => {})
  }

  /**
   * @returns after COMMIT
   * @throws Error of the file system where the bytes cannot be written; of the database, see `isDatabaseAway`
   */
  async keep({ brandId, way, raw, requestDigest }: IncomingMail): Promise<KeptMail> {
    const sha256 = await digestMail(raw)
    await this.#blobs.put(sha256.toString('hex'), raw)
    const mailId = newUuid()
    const size = raw.length
    const before = await this.#keepRow({
      brandId,
      mailId,
      way,
      sha256,
      keptSize: size,
      size,
      headOnly: false,
      requestDigest,
    })
    if (before !== null) return { mailId: before, before: true }
    this.#onKept({ brandId, way })
    return { mailId, before: false }
  }

  #keepRow(row: InboundMailRow): Promise<string | null> {
    const { promise, resolve, reject } = Promise.withResolvers<string | null>()
    this.#queue.push({ row, deadline: performance.now() + LIMIT_MS, resolve, reject })
    this.#next()
    return promise
  }

  #next(): void {
    while (this.#running < LANES && this.#queue.length > 0) {
      const group = this.#queue.splice(0, ROWS)
      this.#running++
      void this.#keepGroup(group).finally(() => {
        this.#running--
        this.#next()
      })
    }
  }

  async #keepGroup(group: Waiting[]): Promise<void> {
    // The first of them came first.
    const left = Math.max(0, (group[0]?.deadline ?? 0) - performance.now())
    const rows = group.map(({ row }) => row)
    try {
      const before = await this.#database.run(left, (sql) => keepInboundMails(sql, rows))
      group.forEach(({ resolve }, index) => {
        resolve(before[index] ?? null)
      })
    } catch (error) {
      // Where one of them is at fault, the others go without it. Where the database is away each is told so.
      if (group.length > 1 && !isDatabaseAway(error)) for (const one of group) void this.#keepGroup([one])
      else for (const { reject } of group) reject(error)
    }
  }
}
