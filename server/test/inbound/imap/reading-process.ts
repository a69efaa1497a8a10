import { join } from 'node:path'
import { BlobFolder } from '../../../src/blobs/blob-folder.ts'
import type { ImapMailbox } from '../../../src/config.ts'
import { type DatabaseEndpoint, openDatabase } from '../../../src/database/pool.ts'
import { MailboxWatch } from '../../../src/inbound/imap/mailbox-watch.ts'
import { createLog } from '../../../src/log.ts'

/**
 * Reads a mailbox in a process of its own, and is killed with a mail in its hands: once its bytes are written and no row
 * says so, or once the row is committed and nobody was told.
 */
export type ReadingProcess = {
  endpoint: DatabaseEndpoint
  settings: ImapMailbox
  dataDir: string
  moment: 'before_commit' | 'after_commit'
}

const { endpoint, settings, dataDir, moment } = JSON.parse(process.argv[2] ?? '') as ReadingProcess
const blobs = new BlobFolder(join(dataDir, 'blobs'))
const die = () => process.kill(process.pid, 'SIGKILL')
new MailboxWatch({
  brandId: 'acme',
  settings,
  database: openDatabase(endpoint, { max: 2, applicationName: 'vitest' }),
  blobs: {
    async put(sha256, bytes) {
      const written = await blobs.put(sha256, bytes)
      if (moment === 'before_commit') die()
      return written
    },
  },
  holder: `killed:${process.pid}`,
  onKept: die,
  log: createLog({ level: 'silent', pretty: false }),
  random: Math.random,
  pace: { poll: 20_000, pause: 10, longestPause: 50, lease: 200 },
}).start()
