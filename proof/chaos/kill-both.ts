import { setTimeout as pause } from 'node:timers/promises'
import { embeddedServer, killServer } from './embedded-server.ts'
import type { Fault, FaultReport } from './fault.ts'
import { until } from './processes.ts'
import { whole } from './random.ts'
import { type Scene, withScene } from './scene.ts'

const CALLERS = 16
/** The longest life, from the first acknowledged ticket, in milliseconds. */
const LIFE_MS = 1000

export const killBoth: Fault = {
  id: 'kill-both',
  title: '`kill -9` of Bellhop and PostgreSQL at once',
  times: { long: 100, short: null },
  run: (context) => withScene(context, { database: 'embedded' }, run),
}

async function run(scene: Scene): Promise<FaultReport> {
  const { context, ledger, installation } = scene
  const { random, signal, say, times } = context
  const callers = scene.call({ callers: CALLERS })
  for (let kill = 1; kill <= times; kill++) {
    const bellhop = await scene.start()
    const postmaster = await embeddedServer(installation.dataDir, signal)
    // One in five dies before anything was acknowledged, or as soon as it was.
    if (random() < 0.8) {
      const since = performance.now()
      await until('tickets are acknowledged', () => ledger.lastAcknowledgedAt > since, { signal, every: 5 })
      await pause(whole(random, 0, LIFE_MS))
    }
    // Whichever dies first, the other does in the same moment.
    const how = random() < 0.5 ? 'postmaster' : 'all'
    if (random() < 0.5) {
      killServer(postmaster, how)
      await bellhop.kill()
    } else {
      const dead = bellhop.kill()
      killServer(postmaster, how)
      await dead
    }
    if (kill % 10 === 0) say(`${kill} kills, ${ledger.acknowledged} acknowledged`)
  }
  await scene.start()
  await callers.stop()
  return { times, ...(await scene.account()) }
}
