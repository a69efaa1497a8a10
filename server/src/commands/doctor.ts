import { join } from 'node:path'
import { BlobFolder } from '../blobs/blob-folder.ts'
import { type Brand, type Config, loadConfig } from '../config.ts'
import { createConnector } from '../connectors/registry.ts'
import { checkSchema, MIGRATIONS, schemaVersion } from '../database/migrations.ts'
import { describeDatabaseError, openDatabase } from '../database/pool.ts'
import { countDeliveries, type DeliveryCount } from '../deliveries/delivery.report.ts'
import { OperatorError } from '../errors.ts'
import { createTokenJudge } from '../http/tokens/tokens.ts'
import { verifyMailbox } from '../inbound/imap/verify-mailbox.ts'
import { createLog } from '../log.ts'
import { checkBackups } from './doctor-backups.ts'
import { checkMail } from './doctor-mail.ts'
import { withEndpoint } from './endpoint.ts'
import { holdNotice } from './hold.ts'

const DESK_LIMIT_MS = 20_000

type Check = { what: string; ok: boolean; detail: string }

/**
 * `bellhop doctor`: checks the brands file, the database, the attachments' folder, each issuer, each desk and
 * each brand's mail, one line each with what to do.
 * @returns whether all is well
 */
export async function doctorCommand(out: NodeJS.WritableStream): Promise<boolean> {
  let well = true
  const report = (check: Check) => {
    well &&= check.ok
    out.write(`${check.ok ? 'ok  ' : 'FAIL'}  ${check.what}: ${check.detail}\n`)
  }
  const config = await readConfig(report)
  if (config === null) return false
  report(await checkDatabase(config))
  report(await checkBlobs(config))
  const { backups } = config.environment
  if (backups !== null) report(await checkBackups(backups, Date.now()))
  for (const check of await checkIssuers(config)) report(check)
  for (const check of await checkDesks(config)) report(check)
  for (const check of await checkMails(config)) report(check)
  for (const check of await checkMailboxes(config)) report(check)
  return well
}

async function readConfig(report: (check: Check) => void): Promise<Config | null> {
  const what = 'configuration'
  try {
    const config = await loadConfig(process.env)
    const { brands, issuers } = config.brands
    const source = config.demo ? 'the demo brands (BRANDS_FILE is unset)' : 'the brands file'
    report({ what, ok: true, detail: `${source}: ${count(brands, 'brand')}, ${count(issuers, 'issuer')}` })
    return config
  } catch (error) {
    if (!(error instanceof OperatorError)) throw error
    for (const line of error.message.split('\n')) report({ what, ok: false, detail: line })
    return null
  }
}

async function checkDatabase({ environment, brands }: Config): Promise<Check> {
  const what = environment.databaseUrl === null ? 'database (embedded)' : 'database (DATABASE_URL)'
  const log = createLog({ level: 'silent', pretty: false })
  try {
    return await withEndpoint(environment, 'bellhop doctor', log, async (endpoint) => {
      const database = openDatabase(endpoint, { max: 1, applicationName: 'bellhop doctor' })
      try {
        const [server] = await database.sql<
          { version: string }[]
        >`SELECT current_setting('server_version') AS version`
        if ((await schemaVersion(database.sql)) === 0) {
          return {
            what,
            ok: true,
            detail: `PostgreSQL ${server?.version}, empty: bellhop start makes its tables`,
          }
        }
        const version = await checkSchema(database.sql, MIGRATIONS)
        const notice = await holdNotice(database.sql)
        const advice =
          adviceOn(await countDeliveries(database.sql), brands.brands) + (notice === '' ? '' : `; ${notice}`)
        return { what, ok: true, detail: `PostgreSQL ${server?.version}, at version ${version}${advice}` }
      } finally {
        await database.close()
      }
    })
  } catch (error) {
    if (error instanceof OperatorError) {
      return { what, ok: false, detail: error.message.replace(/^DATABASE_URL: /, '') }
    }
    const { code } = describeDatabaseError(error)
    return {
      what,
      ok: false,
      detail: `does not answer (${code}): check that it runs and that DATABASE_URL is right`,
    }
  }
}

function adviceOn(counts: DeliveryCount[], brands: Brand[]): string {
  const known = new Set(brands.map((brand) => brand.id))
  const sum = (of: (one: DeliveryCount) => boolean) =>
    counts.filter(of).reduce((all, one) => all + one.count, 0)
  const failed = sum(({ state }) => state === 'rejected' || state === 'dead')
  // Of a brand that was taken out of the file: they wait until it is back.
  const stranded = sum(
    ({ state, brandId }) => !known.has(brandId) && (state === 'pending' || state === 'leased'),
  )
  return (
    (failed > 0 ? `; ${failed} rejected or dead: see bellhop deliveries` : '') +
    (stranded > 0 ? `; ${stranded} undelivered of brands that the brands file no longer has` : '')
  )
}

async function checkBlobs({ environment }: Config): Promise<Check> {
  const folder = join(environment.dataDir, 'blobs')
  try {
    await new BlobFolder(folder).probe()
    return { what: 'attachments', ok: true, detail: `${folder} can be written` }
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? ` (${error.code})` : ''
    const detail = `${folder} cannot be written${code}: make room there, or let this user write`
    return { what: 'attachments', ok: false, detail }
  }
}

async function checkIssuers({ brands: { issuers } }: Config): Promise<Check[]> {
  const judge = createTokenJudge({ issuers, now: Date.now })
  try {
    return await Promise.all(
      issuers.map(async ({ issuer }) => ({ what: `issuer ${issuer}`, ...(await judge.verify(issuer)) })),
    )
  } finally {
    await judge.close()
  }
}

async function checkDesks({ brands: { brands } }: Config): Promise<Check[]> {
  return Promise.all(
    brands.map(async (brand) => {
      const connector = createConnector(brand, { now: Date.now })
      try {
        const verdict = await connector.verify(AbortSignal.timeout(DESK_LIMIT_MS))
        return { what: `desk of ${brand.id} (${connector.name})`, ...verdict }
      } finally {
        await connector.close()
      }
    }),
  )
}

async function checkMails({ brands: { brands } }: Config): Promise<Check[]> {
  const checks = brands.map((brand) => checkMail(brand, AbortSignal.timeout(DESK_LIMIT_MS)))
  return (await Promise.all(checks)).flat()
}

async function checkMailboxes({ brands: { brands } }: Config): Promise<Check[]> {
  const read = brands.flatMap(({ id, inbound }) => (inbound?.imap ? [{ id, imap: inbound.imap }] : []))
  return Promise.all(
    read.map(async ({ id, imap }) => ({
      what: `mailbox of ${id}`,
      ...(await verifyMailbox(imap, AbortSignal.timeout(DESK_LIMIT_MS))),
    })),
  )
}

function count(things: unknown[], name: string): string {
  return `${things.length} ${name}${things.length === 1 ? '' : 's'}`
}
