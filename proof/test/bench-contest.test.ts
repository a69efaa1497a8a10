import { expect, test } from 'vitest'
import { comparison, ratioOf, toRow } from '../bench/comparison.ts'
import { compete, inTurn } from '../bench/contest.ts'
import { middleRate } from '../bench/mail-desks.ts'
import { readBenchOptions } from '../bench/options.ts'
import { describeRefusals, noRefusals } from '../bench/refusals.ts'
import { RefusedLoad } from '../load.ts'

test('everybody has one turn in each round, and nobody always begins or always follows the same one', () => {
  const rounds = Array.from({ length: 6 }, (_, round) => inTurn(['a', 'b', 'c'], round).join(''))
  expect(rounds).toEqual(['abc', 'bca', 'cab', 'cba', 'acb', 'bac'])
})

test('two are compared round by round, since the machine was the same for both', async () => {
  // A neighbour takes half of the machine in every second round.
  let turn = 0
  const share = () => [1, 1, 0.5, 0.5][turn++ % 4] ?? 1
  const sides = { floor: async () => 1000 * share(), bellhop: async () => 1200 * share() }
  const rates = await compete(sides, 4, noRefusals())
  expect(rates.floor).toEqual([1000, 500, 1000, 500])
  expect(ratioOf(rates.bellhop, rates.floor)).toMatchObject({ median: 1.2, least: 1.2, most: 1.2 })
})

test('a side that did nothing fails the comparison', async () => {
  const sides = { floor: async () => 1, bellhop: async () => 0 }
  await expect(compete(sides, 1, noRefusals())).rejects.toThrow('bellhop did nothing')
})

test('a turn that met a refusal is taken again, which the section tells', async () => {
  const refusals = noRefusals()
  let turn = 0
  const refused = (every: number) => async () => {
    if (++turn % every === 0)
      throw new RefusedLoad({
        answered: 1,
        refused: new Map([[503, 1]]),
        seconds: 1,
        latencies: new Float64Array(),
      })
    return 1
  }
  expect((await compete({ bellhop: refused(3) }, 4, refusals)).bellhop).toEqual([1, 1, 1, 1])
  expect(describeRefusals(refusals)).toContain('Turns taken again since they met a refusal: 1, of 4 that')
  await expect(compete({ bellhop: refused(1) }, 1, refusals)).rejects.toThrow('1 × 503')
})

test('a row says whether the median reached its goal, and shows the spread', () => {
  const floor = { what: 'the floor', rates: [100, 100, 100] }
  const row = (rates: number[], goal: number | null) =>
    toRow(comparison({ id: 'acceptance.fresh.32', what: 'fresh', rates, floor, goal }))
  expect(row([90, 110, 120], 1)).toMatchObject({
    verdict: 'met',
    ratio: { median: 1.1, least: 0.9, most: 1.2 },
    cells: ['fresh', '110', 'the floor', '100', '1.10', '0.90 to 1.20', 'at least 1'],
  })
  expect(row([90, 99, 200], 1).verdict).toBe('short')
  expect(row([1, 1, 1], null).verdict).toBeNull()
})

test('the rate of mails is that of the middle ones: a sender who comes late does not count', () => {
  const steady = Array.from({ length: 80 }, (_, index) => index * 10)
  expect(middleRate(steady)).toBeCloseTo(100)
  const late = [-5000, ...steady.slice(1)]
  expect(middleRate(late)).toBeCloseTo(100)
})

test('of what something costs the lower is better, and so the ratio is higher', () => {
  const row = toRow({
    id: 'footprint.p99',
    rates: [4, 5, 8],
    floor: [2, 5, 2],
    better: 'lower',
    cells: ({ rate, floor }) => [`${rate}`, `${floor}`],
    isMet: ({ rate }) => rate < 5,
  })
  expect(row).toMatchObject({
    verdict: 'short',
    cells: ['5', '2'],
    ratio: { median: 0.5, rounds: [0.5, 1, 0.25] },
  })
})

test('an option that is wrong is named', () => {
  expect(() => readBenchOptions({ only: 'acceptance,speed' })).toThrow(/--only: expected some of acceptance,/)
  expect(() => readBenchOptions({ rounds: 'many' })).toThrow('--rounds: expected a number')
  const short = readBenchOptions({ short: true })
  expect(short.groups.map(({ id }) => id)).toEqual(['acceptance', 'carrying', 'claims'])
  expect(short.out).toBeNull()
  expect(readBenchOptions({}).out).toMatch(/docs\/proof$/)
})
