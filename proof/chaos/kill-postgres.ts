import { setTimeout as pause } from 'node:timers/promises'
import { embeddedServer, killServer } from './embedded-server.ts'
import type { Fault, FaultReport } from './fault.ts'
import { until } from './processes.ts'
import { whole } from './random.ts'
import { type Scene, withScene } from './scene.ts'

const CALLERS = 16
/** The longest that PostgreSQL lives from its first commit to its death, in milliseconds. */
const LIFE_MS = 1000
/** Seconds without an acknowledged ticket: the supervisor waits 5 s at most, then PostgreSQL recovers. */
const AWAY_SECONDS = 15

export const killPostgres: Fault = {
  id: 'kill-postgres',
  title: '`kill -9` of PostgreSQL, which Bellhop starts again',
  times: { long: 100, short: 2 },
  run: (context) => withScene(context, { database: 'embedded' }, run),
}

async function run(scene: Scene): Promise<FaultReport> {
  const { context, ledger, installation } = scene
  const { random, signal, say, times } = context
  const bellhop = await scene.start()
  const callers = scene.call({ callers: CALLERS })
  await until('the first tickets', () => ledger.acknowledged > 100, { signal })
  let longest = 0
  for (let kill = 1; kill <= times; kill++) {
    const postmaster = await embeddedServer(installation.dataDir, signal)
    const killedAt = performance.now()
    killServer(postmaster, random() < 0.5 ? 'postmaster' : 'all')
    await until('tickets are acknowledged again', () => ledger.lastAcknowledgedAt > killedAt + 50, {
      ms: 60_000,
      every: 5,
      signal,
    })
    longest = Math.max(longest, ledger.lastAcknowledgedAt - killedAt)
    if (kill % 10 === 0) say(`${kill} kills, ${ledger.acknowledged} acknowledged`)
    await pause(whole(random, 0, LIFE_MS))
  }
  await callers.stop()
  const survived = bellhop.isRunning
  const account = await scene.account()
  return {
    times,
    ...account,
    checks: [
      ...account.checks,
      { what: 'Bellhop ran on', seen: survived ? 'yes' : 'no', ok: survived },
      {
        what: 'longest time from a kill to the next acknowledged ticket',
        seen: `${(longest / 1000).toFixed(1)} s`,
        ok: longest < AWAY_SECONDS * 1000,
      },
    ],
  }
}
