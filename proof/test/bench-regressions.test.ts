import { describe, expect, test } from 'vitest'
import { goneFrom } from '../bench/bench-page.ts'
import { type BenchRow, comparison, pooled, ratioOf, toRow } from '../bench/comparison.ts'
import { growth } from '../bench/growth.ts'
import { type Judge, nextYardstick, regressions, suspects, yardsticksOf } from '../bench/regressions.ts'
import { type KeptPage, merge, type ProofRow, type ProofRun, type Yardstick } from '../page.ts'

const HERE = '2 × a processor'
const RUN: ProofRun = {
  at: '2026-01-01T00:00:00Z',
  commit: 'abcdef0123',
  bellhop: '0.1.0',
  node: '24.0.0',
  postgresql: '18.4',
  system: 'Linux',
  machine: HERE,
  form: 'long',
  seed: 1,
}
const LONG: Judge = { form: 'long', machine: HERE }
const RETURNING = 'acceptance.returning.32'

const rowOf = (rounds: number[], id = RETURNING): ProofRow => ({
  id,
  cells: ['tokens come back'],
  verdict: null,
  ratio: ratioOf(
    rounds,
    rounds.map(() => 1),
  ),
})

function keep(rows: ProofRow[]): KeptPage {
  const section = { id: 'acceptance', title: 'Acceptance', text: '', columns: [''], rows }
  return merge(null, { name: 'bench', title: 'What it can do', text: '', sections: [section] }, RUN)
}

const YARDSTICKS = yardsticksOf(keep([rowOf([0.9, 1, 1.1])]))
const fallen = (row: ProofRow, judge = LONG, yardsticks = YARDSTICKS) =>
  regressions(yardsticks, [row], judge).map(({ id }) => id)

describe('a ratio against the page that ships', () => {
  test('fell where it is 15 % lower, though a neighbour made one round look better than ever', () => {
    const row = rowOf([0.83, 0.85, 0.8, 0.88, 0.86, 0.84, 0.87, 0.85, 1.2])
    expect(regressions(YARDSTICKS, [row], LONG)).toEqual([{ id: RETURNING, yardstick: 1, now: 0.85 }])
  })

  test('is looked at again where the median is low, and is noise where many rounds are as before', () => {
    const row = rowOf([0.5, 0.6, 0.7, 0.8, 0.85, 0.95, 1, 1, 1.1])
    expect(suspects(YARDSTICKS, [row], LONG).map(({ id }) => id)).toEqual([RETURNING])
    expect(fallen(row)).toEqual([])
  })

  test('may be lower by less than a tenth, or higher', () => {
    expect(suspects(YARDSTICKS, [rowOf([0.91, 0.91, 0.91]), rowOf([2, 3, 4])], LONG)).toEqual([])
  })

  test('is judged on what every look saw together', () => {
    const look = (rates: number[]): BenchRow[] => [
      comparison({ id: RETURNING, what: '', rates, floor: { what: '', rates: [1, 1, 1] }, goal: null }),
    ]
    const [row] = pooled(look([0.5, 0.6, 0.7]), look([0.95, 0.97, 0.99])).map(toRow)
    expect(row?.ratio).toMatchObject({ rounds: [0.5, 0.6, 0.7, 0.95, 0.97, 0.99], least: 0.5, most: 0.99 })
    expect(row?.ratio?.median).toBeCloseTo(0.825)
  })

  test('is nothing to the short form unless it is a steady one', () => {
    const short: Judge = { form: 'short', machine: HERE }
    expect(fallen(rowOf([0.5, 0.5]), short)).toEqual([RETURNING])
    const claims = rowOf([0.5, 0.5], 'claims.loop.2')
    const yardsticks = yardsticksOf(keep([rowOf([1], 'claims.loop.2')]))
    expect(fallen(claims, LONG, yardsticks)).toEqual(['claims.loop.2'])
    expect(fallen(claims, short, yardsticks)).toEqual([])
  })

  test('is compared across machines only where it does not turn on them', () => {
    const elsewhere: Judge = { form: 'long', machine: '64 × another' }
    const fresh = 'acceptance.fresh.32'
    expect(fallen(rowOf([0.5, 0.5]), elsewhere)).toEqual([])
    expect(fallen(rowOf([0.5, 0.5], fresh), elsewhere, yardsticksOf(keep([rowOf([1], fresh)])))).toEqual([
      fresh,
    ])
  })
})

describe('a yardstick', () => {
  const before: Yardstick = { ratio: 1, machine: HERE }

  test('is not lowered by a run that was worse, nor by many small steps, unless somebody accepts it', () => {
    const row = { ...rowOf([0.92, 0.93, 0.94]), yardstick: before }
    expect(nextYardstick(before, row, HERE, false)).toEqual(before)
    expect(yardsticksOf(keep([row])).get(RETURNING)).toEqual(before)
    expect(nextYardstick(before, row, HERE, true)).toEqual({ ratio: 0.93, machine: HERE })
  })

  test('rises where three rounds in four were better, and not by one lucky round', () => {
    expect(nextYardstick(before, rowOf([1.2, 1.3, 1.4, 1.5]), HERE, false)?.ratio).toBe(1.3)
    expect(nextYardstick(before, rowOf([0.9, 0.9, 1.1, 9]), HERE, false)).toEqual(before)
  })

  test('stays where the row could not be measured, and begins anew on another machine', () => {
    const notRun: ProofRow = { id: RETURNING, cells: [''], verdict: 'not run' }
    expect(nextYardstick(before, notRun, HERE, false)).toEqual(before)
    expect(nextYardstick(before, rowOf([0.5]), 'elsewhere', false)).toEqual({
      ratio: 0.5,
      machine: 'elsewhere',
    })
  })
})

describe('a row of the page that nothing measures any more', () => {
  const page = keep([rowOf([1]), rowOf([1], 'acceptance.fresh.1'), rowOf([1], 'claims.loop.2')])
  const acceptance = { id: 'acceptance' }
  const options = { form: 'long', growth: 10_000_000 } as const

  test('is missed where its group was measured', () => {
    expect(goneFrom(page, acceptance, [rowOf([1])], options)).toEqual(['acceptance.fresh.1'])
    expect(goneFrom(page, { id: 'opaque' }, [], options)).toEqual([])
    expect(goneFrom(null, acceptance, [], options)).toEqual([])
  })

  test('is missed by the short form where it is one that it judges', () => {
    expect(goneFrom(page, acceptance, [], { ...options, form: 'short' })).toEqual([RETURNING])
  })

  test('is not missed where a smaller database was asked for', () => {
    const grown = keep([rowOf([1], 'growth.list.10000000'), rowOf([1], 'growth.list.100000')])
    expect(goneFrom(grown, growth, [], { ...options, growth: 100_000 })).toEqual(['growth.list.100000'])
  })
})
