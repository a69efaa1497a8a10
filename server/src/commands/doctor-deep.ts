import { join } from 'node:path'
import { BlobFolder } from '../blobs/blob-folder.ts'
import { readEnvironment } from '../config.ts'
import { checkSchema, MIGRATIONS, schemaVersion } from '../database/migrations.ts'
import { openDatabase, type Sql } from '../database/pool.ts'
import { examineBlobs } from '../invariants/blob-files.ts'
import { agree, type Counts } from '../invariants/counts.store.ts'
import type { Finding } from '../invariants/invariant.ts'
import { examineAll } from '../invariants/invariants.ts'
import { createLog } from '../log.ts'
import { withEndpoint } from './endpoint.ts'

/** A table of any size is read through within it. */
const DAY_MS = 24 * 60 * 60 * 1000
const PROGRESS_EVERY_MS = 200

/**
 * `bellhop doctor --deep`: what must hold in the database and in the attachments' folder, whatever befell the
 * processes, one line each. It needs no issuer, desk or brands file, and may run beside a server.
 * @param terminal where progress is shown; null where nobody watches
 * @returns whether all of it holds
 */
export async function deepDoctorCommand(
  out: NodeJS.WritableStream,
  terminal: NodeJS.WritableStream | null,
): Promise<boolean> {
  const environment = readEnvironment(process.env)
  const log = createLog({ level: 'silent', pretty: false })
  return withEndpoint(environment, 'bellhop doctor', log, async (endpoint) => {
    const database = openDatabase(endpoint, {
      max: 1,
      applicationName: 'bellhop doctor',
      statementTimeout: DAY_MS,
    })
    try {
      if ((await schemaVersion(database.sql)) === 0) {
        out.write('ok    the database is empty: bellhop start makes its tables\n')
        return true
      }
      await checkSchema(database.sql, MIGRATIONS)
      const folder = new BlobFolder(join(environment.dataDir, 'blobs'))
      return await examineDeeply(database.sql, folder, out, terminal)
    } finally {
      await database.close()
    }
  })
}

async function examineDeeply(
  sql: Sql,
  folder: BlobFolder,
  out: NodeJS.WritableStream,
  terminal: NodeJS.WritableStream | null,
): Promise<boolean> {
  let well = true
  const report = (finding: Finding) => {
    well &&= finding.broken === 0
    out.write(lineOf(finding))
  }
  const counts = await examineAll(sql, report)
  const blobs = await examineBlobs(sql, folder, progressOn(terminal, counts.blobs))
  report(blobs)
  const numbers = agree(counts)
  well &&= numbers
  out.write(`${numbers ? 'ok  ' : 'FAIL'}  numbers in equal numbers out\n\n${linesOf(counts)}`)
  out.write(`${blobs.files} files read, ${(blobs.bytes / 2 ** 20).toFixed(1)} MiB\n`)
  return well
}

function lineOf({ claim, broken, examples }: Finding): string {
  if (broken === 0) return `ok    ${claim}\n`
  const more = broken > examples.length ? ', …' : ''
  return `FAIL  ${claim}: ${broken} break${broken === 1 ? 's' : ''} it: ${examples.join(', ')}${more}\n`
}

function linesOf(counts: Counts): string {
  const { pending, leased, delivered, rejected, dead } = counts
  return [
    `${counts.tickets} tickets = ${counts.made} audit entries of their making`,
    `${counts.messages} messages of customers = ${counts.promised} deliveries of them`,
    `${counts.deliveries} deliveries = ${pending} pending + ` +
      `${leased} leased + ${delivered} delivered + ${rejected} rejected + ${dead} dead`,
    `${counts.counted} attempts counted = ${counts.attempts} ended + ${leased} under way`,
    `${counts.mails} mails that came = ${counts.unsettled} to be settled + ${counts.replies} answers + ` +
      `${counts.newTickets} new tickets + ${counts.automatic} automatic + ${counts.bounces} bounces + ` +
      `${counts.duplicates} duplicates + ${counts.quarantined} quarantined`,
    `${counts.attachments} attachments of ${counts.blobs - counts.unreferred} blobs; ` +
      `${counts.unreferred} blobs wait for the sweep`,
    '',
  ].join('\n')
}

/** How many files were read, on one line that is written over. */
function progressOn(terminal: NodeJS.WritableStream | null, all: number) {
  let shown = Number.NEGATIVE_INFINITY
  return ({ files }: { files: number }) => {
    if (terminal === null || (performance.now() - shown < PROGRESS_EVERY_MS && files < all)) return
    shown = performance.now()
    terminal.write(files < all ? `\r${files} of ${all} files` : '\r\u001b[K')
  }
}
