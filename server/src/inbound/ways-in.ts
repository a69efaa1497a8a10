import type { BlobFolder } from '../blobs/blob-folder.ts'
import type { Brand } from '../config.ts'
import type { Database } from '../database/pool.ts'
import type { Log } from '../log.ts'
import { Mailboxes } from './imap/mailboxes.ts'
import type { InboundWay } from './inbound-mail.store.ts'
import { MailKeeper } from './keep-mail.ts'

export type WaysInDeps = {
  brands: Brand[]
  database: Pick<Database, 'run'>
  blobs: Pick<BlobFolder, 'put'>
  /** Who holds the leases that this process takes. */
  holder: string
  /** Whether this process reads the brands' mailboxes. */
  reads: boolean
  /** Hears of each mail once it is safe: whoever settles mails may look. */
  onKept: (mail: { brandId: string; way: InboundWay }) => void
  log: Log
  random: () => number
}

export type WaysIn = {
  /** For mails that are brought. */
  keeper: MailKeeper
  /** Begins to read the mailboxes. */
  start(): void
  stop(): Promise<void>
  /** Of the mailboxes that this process reads: seconds since each was last looked at with success. */
  ages(): { brandId: string; age: number }[]
}

/** By which mail comes into this process: what is brought, and what it fetches from mailboxes. */
export function createWaysIn({ brands, reads, onKept, ...deps }: WaysInDeps): WaysIn {
  const mailboxes = new Mailboxes(reads ? brands : [], {
    ...deps,
    onKept: (brandId) => onKept({ brandId, way: 'imap' }),
  })
  return {
    keeper: new MailKeeper({ ...deps, onKept }),
    start: () => mailboxes.start(),
    stop: () => mailboxes.stop(),
    ages: () => mailboxes.ages(),
  }
}
