import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { PROOF_FOLDER, type ProofRow, type Verdict } from '../page.ts'
import type { Check, Fault, FaultReport } from './fault.ts'
import { processesOf, signalTo } from './processes.ts'
import { randomOf } from './random.ts'

export type RunOptions = {
  form: 'long' | 'short'
  seed: number
  /** Instead of the row's own number of times. */
  times: number | null
  signal: AbortSignal
  say(line: string): void
}

export const COLUMNS = ['fault', 'times', 'acknowledged', 'there', 'arrived', 'doubles', 'must hold → seen']

/** Runs one row in a folder of its own. Null: it is not in the short form. */
export async function runFault(fault: Fault, options: RunOptions): Promise<ProofRow | null> {
  const { form, seed, signal } = options
  const own = fault.times[form]
  if (own === null && options.times === null) return null
  const impossible = await fault.impossible?.()
  if (impossible) return rowOf(fault, null, 'not run', impossible)
  const times = options.times ?? own ?? 1
  const folder = await mkdtemp(join(tmpdir(), `bellhop-chaos-${fault.id}-`))
  const started = performance.now()
  const say = (line: string) => {
    const seconds = ((performance.now() - started) / 1000).toFixed(0).padStart(4)
    for (const one of line.split('\n')) options.say(`${fault.id} ${seconds} s  ${one}`)
  }
  try {
    say(`${times} ×`)
    const random = randomOf(`${seed} ${fault.id}`)
    const report = await fault.run({ times, form, seed, random, folder, say, signal })
    const checks = [...timesCheck(report, times), ...report.checks, leftCheck(folder)]
    const verdict = verdictOf(checks, form, times, fault)
    say(`${verdict === 'broken' ? 'BROKEN' : verdict}: ${describe(checks)}`)
    return rowOf(fault, report, verdict, describe(checks))
  } catch (error) {
    signal.throwIfAborted()
    const reason = error instanceof Error ? error.message : String(error)
    say(`BROKEN: ${error instanceof Error ? error.stack : error}`)
    return rowOf(fault, null, 'broken', `the row itself broke: ${reason.split('\n')[0]}`)
  } finally {
    // Whatever is left of the row is ours, and goes with its folder.
    for (const pid of processesOf(folder)) signalTo(pid, 'SIGKILL')
    await rm(folder, { recursive: true, force: true, maxRetries: 5, retryDelay: 100 })
  }
}

/** Held as often as the page says, or fewer times, which proves less. */
function verdictOf(checks: Check[], form: RunOptions['form'], times: number, fault: Fault): Verdict {
  if (!checks.every(({ ok }) => ok)) return 'broken'
  return form === 'long' && times < fault.times.long ? 'short' : 'held'
}

/** A row that made its fault less often than it was told has proved less than it says. */
function timesCheck(report: FaultReport, times: number): Check[] {
  if (report.times >= times) return []
  return [{ what: 'faults made', seen: `${report.times} of ${times}`, ok: false }]
}

function leftCheck(folder: string): Check {
  const left = processesOf(folder).length
  return { what: 'processes left behind', seen: String(left), ok: left === 0 }
}

/**
 * Whether a row goes into a page: what ships says that its fault was made as often as the long form makes it, at
 * least. Any other folder is its owner's own.
 */
export function mayBeWritten(
  fault: Fault,
  form: RunOptions['form'],
  times: number | null,
  out: string,
): boolean {
  if (resolve(out) !== PROOF_FOLDER) return true
  return form === 'long' && (times ?? fault.times.long) >= fault.times.long
}

function rowOf(fault: Fault, report: FaultReport | null, verdict: Verdict, told: string): ProofRow {
  const cell = (number: number | null | undefined) =>
    number === null || number === undefined ? '–' : String(number)
  const { id, title } = fault
  const numbers = [report?.times, report?.acknowledged, report?.present, report?.arrived, report?.doubles]
  return { id, cells: [title, ...numbers.map(cell), told], verdict }
}

/** All checks in one cell: those that broke first, in capitals. */
function describe(checks: Check[]): string {
  const ordered = [...checks.filter(({ ok }) => !ok), ...checks.filter(({ ok }) => ok)]
  return ordered
    .map(({ what, seen, ok }) => `${ok ? what : `BROKEN ${what}`} → ${seen}`)
    .join('; ')
    .replaceAll('|', '/')
}
