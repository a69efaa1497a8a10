import { join } from 'node:path'
import { BlobFolder } from '../blobs/blob-folder.ts'
import { readEnvironment } from '../config.ts'
import { checkSchema, MIGRATIONS } from '../database/migrations.ts'
import { type Database, openDatabase } from '../database/pool.ts'
import { OperatorError } from '../errors.ts'
import { fromId } from '../ids.ts'
import { type MailLine, readMailLine } from '../inbound/quarantine.store.ts'
import { createReadingPool, type ReadingPool } from '../inbound/reading/reading-pool.ts'
import { createLog } from '../log.ts'
import { withEndpoint } from './endpoint.ts'

/** What the commands about mail that came work on. */
export type InboundTools = {
  database: Database
  blobs: BlobFolder
  reading: ReadingPool
  /** Bytes of text in UTF-8 that anybody may send at once. */
  textBytes: number
}

/** Does one thing on the database that the environment names, and on the mails' bytes beside it. */
export async function withInbound(work: (tools: InboundTools) => Promise<void>): Promise<void> {
  const environment = readEnvironment(process.env)
  const log = createLog({ level: 'silent', pretty: false })
  await withEndpoint(environment, 'bellhop inbound', log, async (endpoint) => {
    const database = openDatabase(endpoint, { max: 1, applicationName: 'bellhop inbound' })
    // Whose mail it is an operator says, and not DNS.
    const reading = createReadingPool({ resolve: nothingThere })
    try {
      await checkSchema(database.sql, MIGRATIONS)
      const blobs = new BlobFolder(join(environment.dataDir, 'blobs'))
      await work({ database, blobs, reading, textBytes: environment.limits.textBytes })
    } finally {
      await reading.close()
      await database.close()
    }
  })
}

async function nothingThere(): Promise<never> {
  throw Object.assign(new Error('not asked'), { code: 'ENODATA' })
}

/** @throws OperatorError where it is no id of a mail, or there is no such mail */
export async function findMail({ database }: Pick<InboundTools, 'database'>, id: string): Promise<MailLine> {
  const mailId = fromId('inb', id)
  if (mailId === null) throw new OperatorError('Expected the id of a mail: inb_ and 32 hexadecimal digits')
  const line = await readMailLine(database.sql, mailId)
  if (line === null) throw new OperatorError('There is no mail with this id.')
  return line
}

/** @throws OperatorError where it does not lie in quarantine any more */
export function assertLies({ settledAs, resolution }: MailLine): void {
  if (settledAs === null) throw new OperatorError('The mail is not settled yet: wait for the worker.')
  if (settledAs !== 'quarantined') throw new OperatorError('The mail does not lie in quarantine.')
  if (resolution !== null) throw resolvedAlready()
}

export function resolvedAlready(): OperatorError {
  return new OperatorError('The mail was released or discarded already.')
}
