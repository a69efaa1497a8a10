import { type Environment, loadConfig, readEnvironment } from '../config.ts'
import { findEmbedded } from '../database/embedded/embedded.ts'
import { checkSchema, MIGRATIONS } from '../database/migrations.ts'
import {
  type DatabaseEndpoint,
  describeDatabaseError,
  isDatabaseAway,
  openDatabase,
} from '../database/pool.ts'
import { OperatorError } from '../errors.ts'
import { MailKeeper } from '../inbound/keep-mail.ts'
import { INBOUND_MAIL_BYTES } from '../inbound/mail-bytes.ts'
import { describeCause } from '../log.ts'
import { openServerBlobs } from './server-blobs.ts'

/**
 * How the command ends, in the words of sysexits.h, which mail servers read: with 75 they keep the mail and try again,
 * with the others they send it back.
 */
const KEPT = 0
const USAGE = 64
const NOT_A_MAIL = 65
const NO_SUCH_BRAND = 67
const TRY_AGAIN = 75

/** Says what is wrong, and how the command ends. */
class Refused extends Error {
  readonly status: number

  constructor(status: number, message: string) {
    super(message)
    this.status = status
  }
}

/**
 * `bellhop inbound --brand B < mail.eml`: takes one mail from a mail server's pipe. The mail is safe where it ends with 0.
 * Whatever goes wrong here, a mistake in the brands file too, is no reason to send a customer's mail back.
 * @returns the exit status
 */
export async function inboundCommand(
  { brand }: { brand?: string },
  input: NodeJS.ReadStream,
  errors: NodeJS.WritableStream,
): Promise<number> {
  try {
    await take(brand, input)
    return KEPT
  } catch (error) {
    errors.write(`bellhop: ${sentenceOf(error).replaceAll('\n', '\nbellhop: ')}\n`)
    return error instanceof Refused ? error.status : TRY_AGAIN
  }
}

async function take(brandId: string | undefined, input: NodeJS.ReadStream): Promise<void> {
  if (brandId === undefined)
    throw new Refused(USAGE, '--brand: expected the id of the brand that the mail is for')
  if (input.isTTY)
    throw new Refused(USAGE, 'Expected a mail on standard input: bellhop inbound --brand B < mail.eml')
  const raw = await readMail(input)
  const environment = readEnvironment(process.env)
  const endpoint = await findDatabase(environment)
  const { brands } = await loadConfig(process.env)
  if (!brands.brands.some(({ id }) => id === brandId)) {
    throw new Refused(NO_SUCH_BRAND, '--brand: expected the id of a brand of the brands file')
  }
  const database = openDatabase(endpoint, {
    max: 1,
    applicationName: 'bellhop inbound',
  })
  try {
    await checkSchema(database.sql, MIGRATIONS)
    const blobs = await openServerBlobs(environment, database.sql)
    await new MailKeeper({ database, blobs }).keep({ brandId, way: 'command', raw, requestDigest: null })
  } finally {
    await database.close()
  }
}

/** The database is not started for a mail: that would keep `bellhop start` out, and the mail server has patience. */
async function findDatabase(environment: Environment): Promise<DatabaseEndpoint> {
  if (environment.databaseUrl !== null) return { kind: 'url', url: environment.databaseUrl }
  const running = await findEmbedded(environment.dataDir)
  if (running === null)
    throw new OperatorError('No server runs on this DATA_DIR: start it, or set DATABASE_URL')
  return running
}

/** All of it, also what is too large to be kept, so that whoever writes comes to the end. */
async function readMail(input: NodeJS.ReadStream): Promise<Buffer> {
  const pieces: Buffer[] = []
  let length = 0
  for await (const piece of input) {
    length += piece.length
    if (length <= INBOUND_MAIL_BYTES) pieces.push(piece)
    else pieces.length = 0
  }
  if (length === 0) throw new Refused(NOT_A_MAIL, 'Standard input was empty.')
  if (length > INBOUND_MAIL_BYTES)
    throw new Refused(NOT_A_MAIL, `The mail is over ${INBOUND_MAIL_BYTES} bytes.`)
  return Buffer.concat(pieces, length)
}

function sentenceOf(error: unknown): string {
  if (error instanceof Refused || error instanceof OperatorError) return error.message
  if (isDatabaseAway(error)) return `The database does not answer (${describeDatabaseError(error).code})`
  if (error instanceof Error && 'syscall' in error && 'code' in error)
    return `The mail cannot be stored (${error.code})`
  return `something went wrong: ${JSON.stringify(describeCause(error))}`
}
