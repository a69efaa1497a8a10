import type { ProofRow, Ratio } from '../page.ts'
import { median, spread } from '../table.ts'

/** What the rounds gave for one row, before it is one: rounds that are measured later are put with the first. */
export type Comparison = {
  id: string
  /** Of Bellhop and of what it is compared with, round by round: so many a second, or what one costs. */
  rates: number[]
  floor: number[]
  /** Of rates the higher is better, of costs the lower. */
  better: 'higher' | 'lower'
  cells(figures: Figures): string[]
  /** Null where no goal is set. */
  isMet: ((figures: Figures) => boolean) | null
}

/** Medians of the rounds. */
export type Figures = { rate: number; floor: number; ratio: Ratio }

/** A row as a group gives it: a comparison, or one that has nothing to be compared with. */
export type BenchRow = Comparison | ProofRow

export function toRow(row: BenchRow): ProofRow {
  if (!('rates' in row)) return row
  const { id, rates, floor, better, cells, isMet } = row
  const ratio = better === 'higher' ? ratioOf(rates, floor) : ratioOf(floor, rates)
  const figures = { rate: median(rates), floor: median(floor), ratio }
  const verdict = isMet === null ? null : isMet(figures) ? 'met' : 'short'
  return { id, cells: cells(figures), verdict, ratio }
}

/** Rows that were measured again, each with the rounds from before too. */
export function pooled(earlier: BenchRow[], later: BenchRow[]): BenchRow[] {
  const before = new Map(earlier.map((row) => [row.id, row]))
  return later.map((row) => {
    const first = before.get(row.id)
    if (first === undefined || !('rates' in first) || !('rates' in row)) return row
    return { ...row, rates: [...first.rates, ...row.rates], floor: [...first.floor, ...row.floor] }
  })
}

/** Round by round, since both of one round had the same machine. */
export function ratioOf(rates: number[], floor: number[]): Ratio {
  const rounds = rates.map((rate, round) => rate / (floor[round] ?? Number.NaN))
  return { median: median(rounds), least: Math.min(...rounds), most: Math.max(...rounds), rounds }
}

/** The columns of a section whose rows {@link comparison} makes. */
export const COMPARISON = ['', 'a second', 'compared with', 'a second', 'ratio', 'spread', 'goal']

/**
 * A row that compares two rates.
 * @param goal the least ratio that is wanted; null: none is set
 */
export function comparison(row: {
  id: string
  what: string
  rates: number[]
  floor: { what: string; rates: number[] }
  goal: number | null
}): Comparison {
  const { id, what, rates, floor, goal } = row
  return {
    id,
    rates,
    floor: floor.rates,
    better: 'higher',
    cells: (figures) => [
      what,
      absolute(figures.rate),
      floor.what,
      absolute(figures.floor),
      ...ratioCells(figures.ratio),
      goal === null ? '' : `at least ${goal}`,
    ],
    isMet: goal === null ? null : ({ ratio }) => ratio.median >= goal,
  }
}

/** The median, and the spread. */
export function ratioCells({ median, least, most }: Ratio): [string, string] {
  return [median.toFixed(2), spread([least, most], 2)]
}

export function absolute(rate: number): string {
  return rate.toFixed(rate < 100 ? 1 : 0)
}
