import type { Fault, FaultContext, FaultReport } from './fault.ts'
import { Line } from './line.ts'
import { makeOutages, type Outage } from './outages.ts'
import { whole } from './random.ts'
import { withScene } from './scene.ts'

const POOL = 8
/** Milliseconds that the line is cut. */
const SHORTEST_MS = 200
const LONGEST_MS = 8000

export const databaseCut: Fault = {
  id: 'database-cut',
  title: 'Every connection to PostgreSQL cut by a proxy: reset, or silent and half-open',
  times: { long: 50, short: 1 },
  run,
}

async function run(context: FaultContext): Promise<FaultReport> {
  await using endings = new AsyncDisposableStack()
  let line: Line | null = null
  const environment = { DATABASE_POOL: String(POOL) }
  const databaseUrl = async (cluster: { port: number; url: string }) => {
    line = await Line.to(cluster.port)
    endings.defer(() => line?.close())
    return cluster.url.replace(`:${cluster.port}/`, `:${line.port}/`)
  }
  return await withScene(context, { database: 'cluster', databaseUrl, environment }, (scene) => {
    if (line === null) throw new Error('Bellhop goes over a line')
    const ways = waysOf(line)
    const { random, form } = context
    return makeOutages(
      scene,
      (index) => {
        const way = ways[index % ways.length]
        if (way === undefined) throw new Error('there is a way')
        return { ...way, ms: whole(random, SHORTEST_MS, form === 'long' ? LONGEST_MS : 2000), total: true }
      },
      { pool: POOL },
    )
  })
}

function waysOf(line: Line): Omit<Outage, 'ms' | 'total'>[] {
  const silence = async () => line.silence()
  return [
    {
      name: 'reset',
      async begin() {
        line.cut()
        return () => line.mend()
      },
    },
    { name: 'silent and then reset', begin: async () => silence().then(() => () => line.mend('reset')) },
    {
      name: 'silent for good',
      begin: async () => silence().then(() => () => line.mend('lost')),
      after: () => line.forget(),
    },
    { name: 'silent and then late', begin: async () => silence().then(() => () => line.mend('late')) },
  ]
}
