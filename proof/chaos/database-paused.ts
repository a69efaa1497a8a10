import type { Fault, FaultReport } from './fault.ts'
import { makeOutages } from './outages.ts'
import { type Scene, withScene } from './scene.ts'

const POOL = 8

export const databasePaused: Fault = {
  id: 'database-paused',
  title: 'PostgreSQL paused (SIGSTOP of all its processes) for 30 s',
  times: { long: 50, short: null },
  run: (context) =>
    withScene(context, { database: 'cluster', environment: { DATABASE_POOL: String(POOL) } }, run),
}

async function run(scene: Scene): Promise<FaultReport> {
  const { cluster, context } = scene
  if (cluster === null) throw new Error('a cluster is paused')
  const ms = context.form === 'long' ? 30_000 : 4000
  const begin = async () => {
    cluster.pause()
    return () => cluster.resume()
  }
  return makeOutages(scene, () => ({ name: 'paused', begin, ms, total: true }), { pool: POOL })
}
