import { createHash } from 'node:crypto'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { BlobFolder } from '../../../src/blobs/blob-folder.ts'
import type { ImapMailbox } from '../../../src/config.ts'
import {
  type MailboxPace,
  MailboxWatch,
  type MailboxWatchDeps,
} from '../../../src/inbound/imap/mailbox-watch.ts'
import { createLog } from '../../../src/log.ts'
import { until } from '../../database/embedded/processes.ts'
import { createTestDatabase, type TestDatabase } from '../../database/test-database.ts'

/** Milliseconds: as short as a test likes, and never by the clock where the server tells by itself. */
export const PACE: MailboxPace = { poll: 20_000, pause: 10, longestPause: 50, lease: 30_000 }

export type Row = { id: string; sha256: string; size: number; headOnly: boolean }

/** A database and a blobs' folder, into which mailboxes are read. */
export type Reading = {
  database: TestDatabase
  blobs: BlobFolder
  dataDir: string
  /** Every log line so far. */
  logged(): string
  /** Reads a mailbox for `acme` until `stop`. */
  watch(settings: ImapMailbox, deps?: Partial<MailboxWatchDeps>): MailboxWatch
  /** What was kept, in the order of its keeping. */
  rows(): Promise<Row[]>
  /** Waits until so many mails are kept, and gives their digests. */
  kept(count: number): Promise<string[]>
  /** The bytes that were kept under this digest. */
  bytes(sha256: string): Promise<Buffer>
  /** Stops every watch. */
  rest(): Promise<void>
  /** As if nothing had ever been read. */
  forget(): Promise<void>
  close(): Promise<void>
}

export async function startReading(): Promise<Reading> {
  const database = await createTestDatabase()
  const dataDir = await mkdtemp(join(tmpdir(), 'bellhop-test-'))
  const blobs = new BlobFolder(join(dataDir, 'blobs'))
  const watches = new Set<MailboxWatch>()
  const lines: string[] = []
  const log = createLog({ level: 'debug', pretty: false, stream: { write: (line) => void lines.push(line) } })
  let holders = 0

  const reading: Reading = {
    database,
    blobs,
    dataDir,
    logged: () => lines.join(''),
    watch(settings, deps = {}) {
      const watch = new MailboxWatch({
        brandId: 'acme',
        settings,
        database: database.database,
        blobs,
        holder: `vitest:${holders++}`,
        onKept: () => {},
        log,
        random: Math.random,
        pace: PACE,
        ...deps,
      })
      watches.add(watch)
      watch.start()
      return watch
    },
    rows: () => database.sql<Row[]>`
      SELECT id, encode(sha256, 'hex') AS sha256, size::float8 AS size, head_only AS "headOnly"
      FROM inbound_mails ORDER BY id`,
    async kept(count) {
      await until(async () => (await reading.rows()).length >= count)
      return (await reading.rows()).map(({ sha256 }) => sha256)
    },
    bytes: (sha256) => readFile(join(dataDir, 'blobs', sha256.slice(0, 2), sha256)),
    async rest() {
      await Promise.all([...watches].map((watch) => watch.stop()))
      watches.clear()
    },
    async forget() {
      await database.sql`DELETE FROM inbound_mails`
      await database.sql`DELETE FROM imap_cursors`
    },
    async close() {
      await reading.rest()
      await database.stop()
      await rm(dataDir, { recursive: true, force: true })
    },
  }
  return reading
}

let mailsMade = 0

/** A mail that there is once. */
export function newMail(more = 0): Buffer {
  mailsMade++
  const head = `From: ada@example.com\r\nTo: support@acme.example\r\nSubject: Canary ${mailsMade}\r\nMessage-ID: <${mailsMade}@example.com>\r\n`
  return Buffer.from(`${head}\r\nIt has not arrived: no ${mailsMade}.\r\n${'x'.repeat(more)}`)
}

export function digestOf(raw: Buffer): string {
  return createHash('sha256').update(raw).digest('hex')
}
