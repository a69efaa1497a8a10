/**
 * `npm run bench`: acceptance as a ratio to a bare floor in the same run, on the same database, in alternating
 * rounds; then latency in an open model, memory and the time to be ready.
 *
 * Options: --rounds 5 --seconds 4 --short (two rounds of 2 s, for CI)
 */
import { parseArgs } from 'node:util'
import { closedLoad, openLoad, percentile } from './load.ts'
import { machine } from './machine.ts'
import { requestsOf } from './requests.ts'
import { startBellhop, startFloor, timeToReady, withFolder } from './servers.ts'
import { median, type Row, spread, table } from './table.ts'

const { values } = parseArgs({
  options: {
    rounds: { type: 'string', default: '5' },
    seconds: { type: 'string', default: '4' },
    short: { type: 'boolean', default: false },
  },
})
const rounds = values.short ? 2 : Number(values.rounds)
const seconds = values.short ? 2 : Number(values.seconds)
const CONNECTIONS = 32
const out = (line = '') => process.stdout.write(`${line}\n`)

await withFolder(async (dataDir) => {
  out(machine())
  const ready = await timeToReady(dataDir)
  const bellhop = await startBellhop(dataDir)
  const floor = await startFloor(dataDir)
  try {
    const idle = bellhop.residentMiB()
    const fresh = await requestsOf(dataDir, 'fresh')
    const returning = await requestsOf(dataDir, 'returning')
    await closedLoad({ port: bellhop.port, connections: CONNECTIONS, seconds: 2, next: fresh })
    await closedLoad({ port: floor.port, connections: CONNECTIONS, seconds: 2, next: fresh })

    const rates = { floor: [] as number[], fresh: [] as number[], returning: [] as number[] }
    for (let round = 0; round < rounds; round++) {
      rates.floor.push(await rate(floor.port, fresh))
      rates.fresh.push(await rate(bellhop.port, fresh))
      rates.returning.push(await rate(bellhop.port, returning))
    }
    const ratios = (of: number[]) => of.map((value, round) => value / (rates.floor[round] ?? Number.NaN))
    const open = await openLoad({ port: bellhop.port, perSecond: 500, seconds: seconds * 3, next: fresh })
    const p99 = percentile(open.latencies, 99)

    const rows: Row[] = [
      rateRow('bare floor', rates.floor, null, null),
      rateRow('Bellhop, every token new', rates.fresh, ratios(rates.fresh), 0.75),
      rateRow('Bellhop, tokens come back', rates.returning, ratios(rates.returning), 1),
    ]
    out(`\nAcceptance at ${CONNECTIONS} connections, ${rounds} alternating rounds of ${seconds} s\n`)
    out(table(['', 'requests/s', 'ratio to floor', 'spread', 'goal', ''], rows))
    out('\nBeside it\n')
    out(
      table(
        ['', 'measured', 'goal', ''],
        [
          ['p50 at 500 requests/s, open model', `${percentile(open.latencies, 50).toFixed(1)} ms`, '', ''],
          ['p99 at 500 requests/s, open model', `${p99.toFixed(1)} ms`, 'under 25 ms', verdict(p99 < 25)],
          ['resident, idle', `${idle.toFixed(0)} MiB`, 'under 150 MB', verdict(idle * 1.048576 < 150)],
          ['resident, after the load', `${bellhop.residentMiB().toFixed(0)} MiB`, '', ''],
          ['ready, new DATA_DIR', `${ready.first.toFixed(1)} s`, 'within 8 s', verdict(ready.first < 8)],
          ['ready, existing DATA_DIR', `${ready.again.toFixed(1)} s`, 'within 3 s', verdict(ready.again < 3)],
        ],
      ),
    )
  } finally {
    await floor.stop()
    await bellhop.stop()
  }
})

async function rate(port: number, next: () => Buffer): Promise<number> {
  const result = await closedLoad({ port, connections: CONNECTIONS, seconds, next })
  if (result.refused.size > 0) throw new Error(`answers besides 201: ${JSON.stringify([...result.refused])}`)
  return result.answered / result.seconds
}

function rateRow(name: string, rates: number[], ratios: number[] | null, goal: number | null): Row {
  const ratio = ratios === null ? null : median(ratios)
  return [
    name,
    median(rates).toFixed(0),
    ratio === null ? '1' : ratio.toFixed(2),
    ratios === null ? spread(rates, 0) : spread(ratios, 2),
    goal === null ? '' : `at least ${goal}`,
    ratio === null || goal === null ? '' : verdict(ratio >= goal),
  ]
}

function verdict(met: boolean): string {
  return met ? 'met' : 'NOT MET'
}
