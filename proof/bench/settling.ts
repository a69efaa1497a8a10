import { hash } from 'node:crypto'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { BlobFolder } from '../../server/src/blobs/blob-folder.ts'
import type { Sql } from '../../server/src/database/pool.ts'
import { newUuid } from '../../server/src/ids.ts'
import { type InboundMailRow, keepInboundMails } from '../../server/src/inbound/inbound-mail.store.ts'
import { mailsOf } from '../inbound/answers.ts'
import { addressOf, writeInboundBrands } from '../inbound/mail-brands.ts'
import { startBellhop } from '../servers.ts'
import { COMPARISON, comparison } from './comparison.ts'
import { compete } from './contest.ts'
import { type Group, onStage } from './group.ts'
import { middleRate } from './mail-desks.ts'
import { startPeer } from './peer.ts'
import { type BenchDatabase, startPostgres, withSql } from './postgres.ts'

const BRAND = 'brand-1'
const BYTES = 5 * 1024
/** Milliseconds without a mail being settled after which nobody waits for more. */
const PATIENCE_MS = 20_000

/** Mails that are read, judged and settled by one process, out of a backlog. */
export const settling: Group = {
  id: 'settling',
  inShort: false,
  async run(context) {
    const { folder, scene, rounds, seconds, say, refusals } = context
    const postgres = await onStage(scene, startPostgres(folder))
    const database = await postgres.create()
    const environment = { DATABASE_URL: database.url, BRANDS_FILE: await writeInboundBrands(folder, [BRAND]) }
    await onStage(scene, startBellhop(folder, { command: 'worker', environment }))
    const settings = { bytes: BYTES, to: addressOf(BRAND) }
    const reader = await onStage(scene, startPeer<null, number, number>('read-loop.ts', settings))
    const settle = (mails: number) => () => settleAll(database, folder, mails)
    // Both warm up, and show how many mails fill a turn.
    await reader.ask(50)
    const mails = Math.max(50, Math.ceil((await settle(50)()) * seconds))
    say(`${mails} mails in each turn`)
    const read = () => reader.ask(mails)
    const rates = await compete({ read, bellhop: settle(mails) }, rounds, refusals)
    return [
      {
        id: 'settling',
        title: 'Settling mails',
        text:
          `Mails of ${BYTES / 1024} KiB a second that one \`bellhop worker\` settles out of a backlog, each a new ticket ` +
          'in the built-in inbox, against a process that only reads the same mails by as many threads, in ' +
          `${rounds} alternating rounds. The worker also claims each, reads its bytes from the disk, looks for ` +
          'whom it is from and whether it came before, and writes down ticket, message, delivery and audit entry ' +
          'in one transaction. Its rates are over the middle three quarters of the mails.',
        columns: COMPARISON,
        rows: [
          comparison({
            id: 'settling.new',
            what: 'new tickets',
            rates: rates.bellhop,
            floor: { what: 'reading alone', rates: rates.read },
            goal: null,
          }),
        ],
        order: ['settling.new'],
      },
    ]
  },
}

/** @returns mails a second */
async function settleAll({ endpoint }: BenchDatabase, folder: string, mails: number): Promise<number> {
  const blobs = new BlobFolder(join(folder, 'blobs'))
  const next = mailsOf(BYTES, () => addressOf(BRAND))
  const rows: InboundMailRow[] = []
  for (let mail = 0; mail < mails; mail++) rows.push(await keepBytes(blobs, next()))
  return withSql(endpoint, async (sql) => {
    // All at once, so that the worker has a backlog and not a trickle.
    await keepInboundMails(sql, rows)
    return middleRate(await timesOf(sql, rows))
  })
}

async function keepBytes(blobs: BlobFolder, bytes: Buffer): Promise<InboundMailRow> {
  const sha256 = hash('sha256', bytes)
  await blobs.put(sha256, bytes)
  return {
    ...{ brandId: BRAND, mailId: newUuid(), way: 'http', sha256: Buffer.from(sha256, 'hex') },
    ...{ keptSize: bytes.length, size: bytes.length, headOnly: false, requestDigest: null },
  }
}

/** Waits until these are settled. @returns when each was, in milliseconds, ascending */
async function timesOf(sql: Sql, rows: InboundMailRow[]): Promise<number[]> {
  const ids = JSON.stringify(rows.map(({ mailId }) => mailId))
  let before = 0
  for (let last = performance.now(); ; ) {
    await pause(100)
    const settled = await sql<{ at: number; as: string }[]>`
      SELECT extract(epoch FROM settled_at)::float8 * 1000 AS at, settled_as AS as FROM inbound_mails
      WHERE id IN (SELECT json_array_elements_text(${ids}::text::json)::uuid) AND state = 'settled' ORDER BY 1`
    if (settled.some(({ as }) => as !== 'new_ticket')) throw new Error('a mail was settled as something else')
    if (settled.length === rows.length) return settled.map(({ at }) => at)
    if (settled.length > before) last = performance.now()
    before = settled.length
    if (performance.now() - last > PATIENCE_MS)
      throw new Error(`only ${before} of ${rows.length} are settled`)
  }
}
