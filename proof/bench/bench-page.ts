import {
  type KeptPage,
  type ProofPage,
  type ProofRow,
  type ProofRun,
  type ProofSection,
  readPage,
  writePage,
  type Yardstick,
} from '../page.ts'
import type { Group } from './group.ts'
import { GROUPS } from './groups.ts'
import type { BenchOptions } from './options.ts'
import { nextYardstick, type Regression, STEADY } from './regressions.ts'

const TITLE = 'What it can do'
const TEXT =
  'Every ratio is to a floor or a peer in the same run, by alternating rounds whose order turns: the median of ' +
  'the rounds, with the least and the most. The figures a second are those of the machine named below, beside ' +
  'which the load ran too: context, not a promise. A row that falls short of its goal says `short`, and ' +
  '[docs/decisions](../decisions) says why.'

/** Rows of the page that the group makes no more: a row that nobody measures cannot fall. */
export function goneFrom(
  kept: KeptPage | null,
  group: Pick<Group, 'id' | 'leavesOut'>,
  rows: ProofRow[],
  { form, growth }: Pick<BenchOptions, 'form' | 'growth'>,
): string[] {
  const made = new Set(rows.map(({ id }) => id))
  return (kept?.sections ?? [])
    .flatMap((section) => section.rows.map(({ id }) => id))
    .filter((id) => id.startsWith(`${group.id}.`) && !made.has(id))
    .filter((id) => (form === 'short' ? STEADY.includes(id) : !group.leavesOut?.(id, { growth })))
}

/** A group that has lost a row is not written, else the next run would not miss it. */
export async function writeGroup(
  { out, accept }: BenchOptions,
  run: ProofRun,
  sections: ProofSection[],
  yardsticks: Map<string, Yardstick>,
  { fell, gone }: { fell: Regression[]; gone: string[] },
): Promise<void> {
  if (out === null || gone.length > 0) return
  const marked = sections.map((section) => ({
    ...section,
    rows: section.rows.map((row): ProofRow => {
      const yardstick = nextYardstick(yardsticks.get(row.id), row, run.machine, accept)
      const verdict = fell.some(({ id }) => id === row.id) ? 'fell' : row.verdict
      return { ...row, verdict, ...(yardstick === undefined ? {} : { yardstick }) }
    }),
  }))
  await writePage(inPageOrder(readPage('bench', out), marked), run, out)
}

/** The page and its regressions know a row by its id alone. */
export function expectUniqueIds(rows: ProofRow[]): void {
  const seen = new Set<string>()
  for (const { id } of rows) {
    if (seen.has(id)) throw new Error(`two rows are called ${id}`)
    seen.add(id)
  }
}

function pageOf(sections: ProofSection[]): ProofPage {
  return { name: 'bench', title: TITLE, text: TEXT, sections }
}

/** In the order of the groups, whichever was measured last: those that were not are named without rows. */
function inPageOrder(kept: KeptPage | null, sections: ProofSection[]): ProofPage {
  const ids = new Set(sections.map(({ id }) => id))
  const stay = (kept?.sections ?? []).filter(({ id }) => !ids.has(id))
  const placeOf = ({ id }: { id: string }) => GROUPS.findIndex((group) => group.id === id)
  const named = stay.map(({ rows: _kept, ...section }): ProofSection => ({ ...section, rows: [] }))
  return pageOf([...sections, ...named].toSorted((a, b) => placeOf(a) - placeOf(b)))
}
