import { provenance } from '../machine.ts'
import { type ProofRun, readPage, toTerminal, writePage } from '../page.ts'
import { serverVersion } from '../postgres-version.ts'
import { startBellhop } from '../servers.ts'
import { countLeaks, examine } from './afterwards.ts'
import { writeBrands } from './brands.ts'
import { casesOf } from './cases.ts'
import { fuzzMails } from './mails/mails.ts'
import { growthOf, type Sample } from './memory.ts'
import { type FuzzOptions, LEAST, LEAST_MAILS } from './options.ts'
import { inPageOrder, pageOf, type Result, sectionsOf } from './page.ts'
import { invitePeople, type People } from './persons.ts'
import { type Failure, run } from './run.ts'
import { type Document, readSurface } from './surface.ts'
import { Tally } from './tally.ts'

const SAMPLE_EVERY_MS = 1000
const TOLD_EVERY_MS = 5000
/** Of fewer nothing can be said. */
const LEAST_SAMPLES = 8

type Say = (line: string) => void

/** @returns whether all held */
export async function fuzz(
  folder: string,
  options: FuzzOptions,
  signal: AbortSignal,
  say: Say,
): Promise<boolean> {
  const { form, seed, out } = options
  say(`${form} form, seed ${seed}`)
  const page = pageOf([])
  if (options.requests > 0) {
    const { result, failure } = await measure(folder, invitePeople(seed), options, signal, say)
    if (failure !== null) sayFailure(failure, say)
    page.sections.push(...sectionsOf(result, LEAST[form]))
  }
  if (options.mails > 0) {
    const { mails, mail: only } = options
    const least = only === null ? LEAST_MAILS[form] : 1
    page.sections.push(await fuzzMails(folder, { seed, mails, only, least, signal, say }))
  }
  for (const section of page.sections) say(toTerminal(section))
  const kept: ProofRun = { ...provenance(await serverVersion()), form, seed }
  if (out !== null && options.path === null)
    await writePage(inPageOrder(page, readPage('fuzz', out)), kept, out)
  const broken = page.sections.flatMap(({ rows }) =>
    rows.filter(({ verdict }) => verdict === 'broken').map(({ cells }) => cells[0]),
  )
  if (broken.length > 0) say(`broken: ${broken.join('; ')}`)
  return broken.length === 0
}

async function measure(folder: string, people: People, options: FuzzOptions, signal: AbortSignal, say: Say) {
  const environment = { BRANDS_FILE: await writeBrands(folder, people) }
  const server = await startBellhop(folder, { environment })
  try {
    const surface = readSurface(await documentOf(server.port))
    const tally = new Tally()
    const samples: Sample[] = []
    const sample = () => void samples.push({ requests: tally.requests, mib: server.residentMiB() })
    let keys = 0
    const stage = { port: server.port, surface, tally, nextKey: () => `key-${process.pid}-${++keys}` }
    const started = performance.now()
    let [sampledAt, toldAt] = [0, started]
    const failure = await run(stage, casesOf(surface, people), {
      ...options,
      signal,
      progress() {
        const now = performance.now()
        if (now - sampledAt >= SAMPLE_EVERY_MS) {
          sampledAt = now
          sample()
        }
        if (now - toldAt < TOLD_EVERY_MS) return
        toldAt = now
        const rate = (tally.requests / (now - started)) * 1000
        say(`${tally.requests} of ${options.requests} requests, ${rate.toFixed(0)} a second`)
      },
    })
    const seconds = (performance.now() - started) / 1000
    sample()
    const growth = samples.length >= LEAST_SAMPLES ? growthOf(samples) : null
    const examined = await examine({ DATA_DIR: folder, ...environment })
    const result: Result = {
      tally,
      seconds,
      growth,
      examined,
      log: await countLeaks(folder),
      failures: failure === null ? 0 : 1,
    }
    return { result, failure }
  } finally {
    await server.stop()
  }
}

async function documentOf(port: number): Promise<Document> {
  const response = await fetch(`http://127.0.0.1:${port}/openapi.json`)
  return (await response.json()) as Document
}

function sayFailure({ seed, path, cases, why }: Failure, say: Say): void {
  say(`\nAn answer was wrong: ${why}`)
  for (const one of cases) say(`  ${one}`)
  say(`Again: npm run fuzz -- --seed ${seed} --path ${path}\n`)
}
