import { type Database, openDatabase } from '../../server/src/database/pool.ts'
import type { Fault, FaultReport } from './fault.ts'
import { makeOutages, type Outage } from './outages.ts'
import type { PostgresCluster } from './postgres.ts'
import { until } from './processes.ts'
import { type Scene, withScene } from './scene.ts'

const POOL = 4
/** What the server takes at once, of whomever. */
const MAX_CONNECTIONS = 20
/** Milliseconds that every connection is busy: longer than a ticket waits for one. */
const HELD_MS = 6500
/** Tables that no ticket can do without. */
const TABLES = ['tickets', 'deliveries', 'idempotency_keys', 'audit_entries']

export const poolExhausted: Fault = {
  id: 'pool-exhausted',
  title: 'No connection free: all busy behind a lock, or all of the server taken by others',
  times: { long: 50, short: null },
  run: (context) =>
    withScene(
      context,
      {
        database: 'cluster',
        settings: { max_connections: String(MAX_CONNECTIONS) },
        environment: { DATABASE_POOL: String(POOL) },
      },
      run,
    ),
}

async function run(scene: Scene): Promise<FaultReport> {
  const { cluster } = scene
  if (cluster === null) throw new Error('a cluster is exhausted')
  // Opened before the others, so that it has its place.
  const control = await scene.database()
  await control.sql`select`
  const outages = [...TABLES.map((table) => locked(control, table)), crowded(control, cluster)]
  return makeOutages(scene, (index) => outages[index % outages.length] ?? locked(control, 'tickets'), {
    pool: POOL,
  })
}

/** Another session holds a table, so that each statement of Bellhop's waits for it. */
function locked({ sql }: Database, table: string): Outage {
  return {
    name: 'all busy behind a lock',
    ms: HELD_MS,
    total: true,
    async begin() {
      const session = await sql.reserve()
      await session`set lock_timeout = 0`
      // It is held for longer than a session of Bellhop's may idle in a transaction.
      await session`set idle_in_transaction_session_timeout = 0`
      await session`begin`
      await session`lock table ${session(table)} in access exclusive mode`
      return async () => {
        await session`rollback`
        session.release()
      }
    },
  }
}

/** Others take every place of the server, and Bellhop's sessions are ended once. */
function crowded({ sql }: Database, cluster: PostgresCluster): Outage {
  return {
    name: 'all taken by others',
    ms: HELD_MS,
    total: true,
    async begin() {
      const crowd: Database[] = []
      const join = async () => {
        const one = openDatabase({ kind: 'url', url: cluster.url }, { max: 1, applicationName: 'crowd' })
        crowd.push(one)
        await one.run(1000, (its) => its`select`).catch(() => {})
      }
      await until('Bellhop has no session left', async () => {
        await sql`select pg_terminate_backend(pid) from pg_stat_activity where application_name like 'bellhop%'`
        await Promise.all(Array.from({ length: crowd.length === 0 ? MAX_CONNECTIONS : 2 }, join))
        const [row] = await sql<{ left: number }[]>`
          select count(*)::int as left from pg_stat_activity where application_name like 'bellhop%'`
        return row?.left === 0
      })
      return async () => {
        await Promise.all(crowd.map((one) => one.close()))
      }
    },
  }
}
