import { type LoadResult, openLoad, percentile, rateOf } from '../load.ts'
import type { ProofRow } from '../page.ts'
import { requestsOf } from '../requests.ts'
import { timeToReady } from '../servers.ts'
import { type Comparison, ratioCells } from './comparison.ts'
import { inTurn, takeTurn } from './contest.ts'
import { startDemoFloor, startFrontDoor, warmUp } from './front-door.ts'
import type { BenchContext, Group } from './group.ts'

const PER_SECOND = 500
/** Milliseconds of the slowest of a hundred, and bytes while nobody asks. */
const GOALS = { p99: 25, idle: 150_000_000 }
const MIB = 2 ** 20

/** What one program costs in one round: latencies in milliseconds, what is resident in MiB. */
type Cost = { p50: number; p99: number; longest: number; idle: number; loaded: number }
type Sides = { bellhop: Cost[]; floor: Cost[] }

export const footprint: Group = {
  id: 'footprint',
  inShort: false,
  async run(context) {
    const { folder, rounds, say, seconds } = context
    say('time to be ready')
    const ready = await timeToReady(folder)
    const sides: Sides = { bellhop: [], floor: [] }
    for (let round = 0; round < rounds; round++) {
      say(`round ${round + 1} of ${rounds}`)
      const costs = await measureRound(context, round)
      sides.bellhop.push(costs.bellhop)
      sides.floor.push(costs.floor)
    }
    return [
      {
        id: 'footprint',
        title: 'Latency, memory, start',
        text:
          `In ${rounds} alternating rounds, in each of which Bellhop and the bare floor are started anew. Latency ` +
          `is measured at ${PER_SECOND} requests a second for ${openSeconds(seconds)} s, every token new, in an ` +
          'open model: requests come at their times whether they are kept up with or not, on as many connections ' +
          'as it takes, and the clock of each starts when it was due and not when it could be sent. So a stall is ' +
          'charged to everybody who would have waited in it, and coordinated omission has no place to hide in. ' +
          'Resident memory is that of the one process that `npm start` runs, without PostgreSQL, as soon as it is ' +
          `ready and after ${seconds} s of load at 32 connections. Figures are medians of the rounds. A ratio is ` +
          "the floor's figure to Bellhop's, so that more is better, as everywhere. Ready is when it says so after " +
          '`npm start`; the floor has nothing to be compared with there.',
        columns: ['', 'measured', 'the bare floor', 'ratio', 'spread', 'goal'],
        rows: [...costRows(sides), ...readyRows(ready)],
      },
    ]
  },
}

function openSeconds(seconds: number): number {
  return seconds * 2.5
}

async function measureRound(context: BenchContext, round: number): Promise<{ bellhop: Cost; floor: Cost }> {
  const { folder, seconds, refusals } = context
  const scene = context.scene.use(new AsyncDisposableStack())
  try {
    const bellhop = await startFrontDoor({ ...context, scene })
    const floor = await startDemoFloor({ ...context, scene })
    const residents = async () => ({ bellhop: bellhop.residentMiB(), floor: await floor.ask(null) })
    const ports = { bellhop: bellhop.port, floor: floor.ready.port }
    const order = inTurn(['bellhop', 'floor'] as const, round)

    const idle = await residents()
    const next = await requestsOf(folder, 'fresh')
    for (const name of order) await warmUp(ports[name], 32, seconds, next, refusals)
    const loaded = await residents()
    const latencies: Record<'bellhop' | 'floor', Float64Array> = {
      bellhop: new Float64Array(),
      floor: new Float64Array(),
    }
    for (const name of order) {
      const load = { port: ports[name], perSecond: PER_SECOND, seconds: openSeconds(seconds), next }
      latencies[name] = await takeTurn(async () => latenciesOf(await openLoad(load)), refusals)
    }
    const cost = (name: 'bellhop' | 'floor'): Cost => {
      const p = (of: number) => percentile(latencies[name], of)
      return { p50: p(50), p99: p(99), longest: p(100), idle: idle[name], loaded: loaded[name] }
    }
    return { bellhop: cost('bellhop'), floor: cost('floor') }
  } finally {
    await scene.disposeAsync()
  }
}

/** @throws RefusedLoad where any answer was another one than expected */
function latenciesOf(load: LoadResult): Float64Array {
  rateOf(load)
  return load.latencies
}

function costRows({ bellhop, floor }: Sides): Comparison[] {
  const row = (
    id: keyof Cost,
    what: string,
    show: (value: number) => string,
    goal = '',
    isMet: Comparison['isMet'] = null,
  ): Comparison => ({
    id: `footprint.${id}`,
    rates: bellhop.map((cost) => cost[id]),
    floor: floor.map((cost) => cost[id]),
    better: 'lower',
    cells: (figures) => [what, show(figures.rate), show(figures.floor), ...ratioCells(figures.ratio), goal],
    isMet,
  })
  const ms = (value: number) => `${value.toFixed(1)} ms`
  const mib = (value: number) => `${value.toFixed(0)} MiB`
  return [
    row('p50', 'latency, half of the answers within', ms),
    row('p99', 'latency, 99 of 100 within', ms, 'under 25 ms', ({ rate }) => rate < GOALS.p99),
    row('longest', 'latency, the longest', ms),
    row('idle', 'resident, idle', mib, 'under 150 MB', ({ rate }) => rate * MIB < GOALS.idle),
    row('loaded', 'resident, after load', mib),
  ]
}

function readyRows({ first, again }: { first: number; again: number }): ProofRow[] {
  const row = (id: string, what: string, seconds: number, limit: number): ProofRow => ({
    id: `footprint.ready.${id}`,
    cells: [what, `${seconds.toFixed(1)} s`, '', '', '', `within ${limit} s`],
    verdict: seconds < limit ? 'met' : 'short',
  })
  return [row('first', 'ready, new DATA_DIR', first, 8), row('again', 'ready, existing DATA_DIR', again, 3)]
}
