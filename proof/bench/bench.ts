import { provenance } from '../machine.ts'
import { type ProofRow, type ProofRun, readPage, toTerminal, type Yardstick } from '../page.ts'
import { expectUniqueIds, goneFrom, writeGroup } from './bench-page.ts'
import { measureUntilSure } from './looks.ts'
import type { BenchOptions } from './options.ts'
import { postgresVersion } from './postgres.ts'
import { isJudged, type Judge, type Regression, regressions, yardsticksOf } from './regressions.ts'

/**
 * Measures the groups, prints them, writes the page, and compares with the page that ships.
 * @returns whether no ratio fell, no row of the page has gone, and, in the long form, all goals were met
 * @throws Error where the short form has no page to compare with
 */
export async function bench(
  options: BenchOptions,
  scene: AsyncDisposableStack,
  say: (line: string) => void,
): Promise<boolean> {
  const { form, seed, accept } = options
  const kept = readPage('bench', options.against)
  const run: ProofRun = { ...provenance(await postgresVersion()), form, seed }
  say(`Bellhop ${run.bellhop} at ${run.commit}, ${form} form, seed ${seed}, on ${run.machine}`)
  if (kept === null) expectNone(options, say)
  const judge: Judge = { form, machine: run.machine }
  const yardsticks = accept ? new Map<string, Yardstick>() : yardsticksOf(kept)
  const away = [...yardsticks.values()].find(({ machine }) => machine !== run.machine)
  if (away !== undefined) {
    const judged = [...yardsticks].flatMap(([id, one]) => (isJudged(id, one, judge) ? [id] : []))
    say(`Yardsticks of another machine, ${away.machine}: judged are only ${judged.join(', ') || 'none'}`)
  }
  const ends: GroupEnd[] = []
  for (const group of options.groups) {
    const started = performance.now()
    const sections = await measureUntilSure(group, options, yardsticks, judge, scene, say)
    for (const section of sections) say(toTerminal(section))
    say(`(${group.id} took ${((performance.now() - started) / 1000).toFixed(0)} s)`)
    const rows = sections.flatMap((section) => section.rows)
    const gone = accept ? [] : goneFrom(kept, group, rows, options)
    const end = { rows, fell: regressions(yardsticks, rows, judge), gone }
    ends.push(end)
    expectUniqueIds(ends.flatMap((one) => one.rows))
    await writeGroup(options, run, sections, yardsticksOf(kept), end)
  }
  return report(ends, form, say)
}

type GroupEnd = { rows: ProofRow[]; fell: Regression[]; gone: string[] }

function expectNone({ form, against, accept }: BenchOptions, say: (line: string) => void): void {
  if (form === 'short' && !accept) {
    throw new Error(`${against}: expected bench.json to compare with; --accept measures without it`)
  }
  say('There is no page to compare with yet, so no regression can be seen.')
}

function report(ends: GroupEnd[], form: 'long' | 'short', say: (line: string) => void): boolean {
  const rows = ends.flatMap((end) => end.rows)
  const unmet = rows.filter(({ verdict }) => verdict === 'short' || verdict === 'not run')
  for (const { id, cells, verdict } of unmet) {
    say(`${verdict === 'short' ? 'short of its goal' : 'not run'}: ${id} (${cells.join(', ')})`)
  }
  const [fell, gone] = [ends.flatMap((end) => end.fell), ends.flatMap((end) => end.gone)]
  for (const { id, yardstick, now } of fell) {
    say(`regression: ${id} is ${now.toFixed(2)} and was ${yardstick.toFixed(2)} by the page`)
  }
  for (const id of gone) say(`gone: ${id} is on the page, and nothing measured it`)
  if (fell.length + gone.length > 0) say('--accept makes what was measured the page')
  return fell.length + gone.length === 0 && (form === 'short' || unmet.length === 0)
}
