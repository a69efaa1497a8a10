import type { KeptPage, ProofRow, Yardstick } from '../page.ts'

/**
 * Which ratios fell by more than a tenth against the page. Each row of the page has a yardstick of its own, which
 * falls only when somebody says that it may, so that neither a run that was worse nor many small steps lower it.
 */

/** More than a tenth below the yardstick is a regression. */
const TOLERANCE = 0.9
/** Of the rounds, so many must be below too: a neighbour on the machine makes some of them so, but not most. */
const MOST = 0.75

/**
 * What the short form judges, since a false alarm would hold up everybody: rows whose two sides write to the same
 * disk, which others use too. Carrying and nodemailer, for one, do not.
 */
export const STEADY = ['acceptance.fresh.32', 'acceptance.returning.32']

/**
 * The rows whose two sides need the same things of a machine: one connection's requests one after the other, the
 * same signature for each, or the same program on a larger database. The others turn on how many processors there
 * are and how fast the disk is.
 */
const PORTABLE = /^(acceptance\.fresh\.(1|32)|growth\.(accept|claim|read|list)\..*)$/

/** One of thousands says nothing of the others. */
const NEVER = ['footprint.longest']

export type Judge = { form: 'long' | 'short'; machine: string }

export type Regression = { id: string; yardstick: number; now: number }

/** The yardsticks of a page; a row from before there were any has its median. */
export function yardsticksOf(kept: KeptPage | null): Map<string, Yardstick> {
  const rows = (kept?.sections ?? []).flatMap((section) => section.rows)
  return new Map(
    rows.flatMap(({ id, yardstick, ratio, run }) => {
      const one = yardstick ?? (ratio && { ratio: ratio.median, machine: run.machine })
      return one === undefined ? [] : [[id, one] as const]
    }),
  )
}

export function isJudged(id: string, yardstick: Yardstick, { form, machine }: Judge): boolean {
  if (NEVER.includes(id)) return false
  if (form === 'short' && !STEADY.includes(id)) return false
  return yardstick.machine === machine || PORTABLE.test(id)
}

/** Rows whose median is so low that they are to be measured again. */
export function suspects(yardsticks: Map<string, Yardstick>, rows: ProofRow[], judge: Judge): Regression[] {
  return rows.flatMap(({ id, ratio }) => {
    const yardstick = yardsticks.get(id)
    if (yardstick === undefined || ratio === undefined || !isJudged(id, yardstick, judge)) return []
    if (ratio.median >= yardstick.ratio * TOLERANCE) return []
    return [{ id, yardstick: yardstick.ratio, now: ratio.median }]
  })
}

/** Those of the suspects of which three rounds in four are too low: of all that were measured, in every look. */
export function regressions(
  yardsticks: Map<string, Yardstick>,
  rows: ProofRow[],
  judge: Judge,
): Regression[] {
  const rounds = new Map(rows.map(({ id, ratio }) => [id, ratio?.rounds ?? []]))
  return suspects(yardsticks, rows, judge).filter(({ id, yardstick }) => {
    const all = rounds.get(id) ?? []
    return all.filter((ratio) => ratio < yardstick * TOLERANCE).length >= all.length * MOST
  })
}

/**
 * What the row's next ratio is compared with: as before, or more where three rounds in four were better.
 * @param accepted the ratio counts from now on, even where it is lower
 */
export function nextYardstick(
  before: Yardstick | undefined,
  { id, ratio }: ProofRow,
  machine: string,
  accepted: boolean,
): Yardstick | undefined {
  if (ratio === undefined) return before
  const moved = before !== undefined && before.machine !== machine && !PORTABLE.test(id)
  if (before === undefined || accepted || moved) return { ratio: ratio.median, machine }
  const sorted = ratio.rounds.toSorted((a, b) => a - b)
  const low = sorted[Math.floor(sorted.length * (1 - MOST))] ?? Number.NaN
  return low > before.ratio ? { ratio: low, machine } : before
}
