import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { findEmbedded } from '../../../server/src/database/embedded/embedded.ts'
import { openDatabase } from '../../../server/src/database/pool.ts'
import { until } from '../../chaos/processes.ts'
import type { ProofSection } from '../../page.ts'
import { startBellhop } from '../../servers.ts'
import { countLeaks, examine } from '../afterwards.ts'
import { growthOf, type Sample } from '../memory.ts'
import { invitePeople } from '../persons.ts'
import { writeMailBrands } from './brands.ts'
import { type MailResult, mailSection } from './page.ts'
import { readAll } from './readings.ts'
import { correspond, readWritten, sendMails } from './run.ts'
import { countActive, countSettled, listUnsettled } from './settled.store.ts'

const WITHOUT_DNS = new URL('./without-dns.ts', import.meta.url).href
const TOLD_EVERY_MS = 5000
const SAMPLE_EVERY_MS = 1000
/** Samples of fewer say nothing of growth. */
const LEAST_SAMPLES = 8
/** Milliseconds without a mail being settled after which nobody waits for more. */
const PATIENCE_MS = 60_000

export type MailsOptions = {
  seed: number
  /** How many; with `only` the one of this number alone. */
  mails: number
  only: number | null
  /** Of which the form says that all held. */
  least: number
  signal: AbortSignal
  say(line: string): void
}

/** Mutated mails on a server of their own: handed over by HTTP, read, settled, and counted. */
export async function fuzzMails(parent: string, options: MailsOptions): Promise<ProofSection> {
  const { seed, mails, only, signal, say } = options
  const folder = join(parent, 'mails')
  await mkdir(folder)
  const people = invitePeople(seed)
  const [person] = people.persons
  if (person === undefined) throw new Error('there is nobody')
  const environment = { BRANDS_FILE: await writeMailBrands(folder, people) }
  const server = await startBellhop(folder, { environment, node: ['--import', WITHOUT_DNS] })
  try {
    const post = { who: await correspond(server, person), written: await readWritten() }
    const numbers = { seed, signal, from: only ?? 0, to: only === null ? mails : only + 1 }
    const tell = every(TOLD_EVERY_MS, say)
    const progress = (read: number) => tell(`${read} of ${mails} mails read`)
    const readings = await readAll({ ...numbers, progress }, post)
    const samples: Sample[] = []
    const sample = every(SAMPLE_EVERY_MS, (taken: number) => {
      samples.push({ requests: taken, mib: server.residentMiB() })
    })
    const run = await sendMails(server, post, {
      ...numbers,
      progress(taken) {
        sample(taken)
        tell(`${taken} of ${mails} mails taken`)
      },
    })
    for (const { mail, why } of [...readings.wrong, ...run.wrong]) {
      say(`\nOf a mail something does not hold: ${why}\n  ${mail.what}, ${mail.bytes.length} bytes`)
      say(`Again: npm run fuzz -- --only mails --seed ${seed} --mail ${mail.number}\n`)
    }
    const settled = await untilSettled(folder, signal, say)
    for (const { id, attempts } of settled.left) {
      say(`Not settled after ${attempts} tries: mail ${run.taken.get(id)} of seed ${seed}`)
    }
    const result: MailResult = {
      ...{ readings, run, settled, peak: server.peakMiB() ?? server.residentMiB() },
      growth: samples.length >= LEAST_SAMPLES ? growthOf(samples) : null,
      examined: await examine({ DATA_DIR: folder, ...environment }),
      log: await countLeaks(folder),
    }
    return mailSection(result, options.least)
  } finally {
    await server.stop()
  }
}

/** Does a thing now and then, however often it is asked. */
function every<T>(ms: number, work: (about: T) => void): (about: T) => void {
  let last = 0
  return (about) => {
    if (performance.now() - last < ms) return
    last = performance.now()
    work(about)
  }
}

async function untilSettled(dataDir: string, signal: AbortSignal, say: (line: string) => void) {
  const endpoint = await until('the database answers', () => findEmbedded(dataDir))
  const database = openDatabase(endpoint, {
    max: 1,
    applicationName: 'npm run fuzz',
    statementTimeout: 60_000,
  })
  try {
    let left = Number.POSITIVE_INFINITY
    let movedAt = performance.now()
    await until(
      'every mail is settled',
      async () => {
        const { unsettled } = await countSettled(database.sql)
        if (unsettled < left) {
          movedAt = performance.now()
          if (unsettled > 0) say(`${unsettled} mails are to be settled`)
        }
        left = unsettled
        return unsettled === 0 || performance.now() - movedAt > PATIENCE_MS
      },
      { ms: Number.POSITIVE_INFINITY, every: 1000, signal },
    )
    return {
      ...(await countSettled(database.sql)),
      active: await countActive(database.sql),
      left: await listUnsettled(database.sql),
    }
  } finally {
    await database.close()
  }
}
