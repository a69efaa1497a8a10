import { setTimeout as pause } from 'node:timers/promises'
import type { Fault, FaultContext, FaultReport } from './fault.ts'
import { count } from './ledger.ts'
import { PAIR_SETTINGS, Pair } from './pair.ts'
import { until } from './processes.ts'
import { whole } from './random.ts'
import { type Scene, withScene } from './scene.ts'
import { Watch } from './watch.ts'

const CALLERS = 16
const PER_SECOND = 10
/** Milliseconds from a standby's being there to the loss of the primary. */
const LIFE_MS = 1500
/** Milliseconds from the loss to the promotion: whoever watches over the servers takes a while to see it. */
const UNSEEN_MS = 2000
/** Milliseconds until tickets are kept again, from when a standby has joined the new primary. */
const RECOVERY_MS = 5000
/** The same where the lost primary fell silent: a connection is given up after 15 s, and its host asked. */
const SILENT_MS = 25_000

/** How the primary is lost; a silent one runs on, and would take writes if its standby were there. */
type Way = 'killed' | 'cut off' | 'silent'
const WAYS: Way[] = ['killed', 'cut off', 'silent']

export const promotion: Fault = {
  id: 'promotion',
  title: 'The primary lost (killed, cut off, or silent) and its synchronous standby promoted',
  times: { long: 20, short: null },
  run,
}

async function run(context: FaultContext): Promise<FaultReport> {
  await using endings = new AsyncDisposableStack()
  let pair: Pair | null = null
  return await withScene(
    context,
    {
      database: 'cluster',
      settings: PAIR_SETTINGS,
      async databaseUrl(cluster) {
        const made = await Pair.of(cluster, context.folder)
        endings.defer(() => made.close())
        pair = made
        return made.url
      },
    },
    (scene) => {
      if (pair === null) throw new Error('Bellhop has two servers')
      return promote(scene, pair)
    },
  )
}

async function promote(scene: Scene, pair: Pair): Promise<FaultReport> {
  const { context, ledger } = scene
  const { random, say, signal, times } = context
  const bellhop = await scene.start()
  await using endings = new AsyncDisposableStack()
  const watch = new Watch(() => bellhop.port)
  endings.defer(() => watch.stop())
  let filedAt = 0
  let unanswered = 0
  const callers = scene.call({
    callers: CALLERS,
    perSecond: PER_SECOND,
    observe({ answer, endedAt }) {
      if (typeof answer === 'string') unanswered++
      else if (answer.status === 201) filedAt = endedAt
    },
  })
  await until('the first tickets', () => ledger.acknowledged > 50, { signal })
  const before = await pair.timeline()
  const longest = new Map<Way, number>()
  for (let index = 0; index < times; index++) {
    const way = WAYS[index % WAYS.length] ?? 'killed'
    await pause(whole(random, 0, LIFE_MS), undefined, { signal })
    const line = await lose(pair, way)
    await pause(whole(random, 0, UNSEEN_MS), undefined, { signal })
    await pair.promote()
    scene.cluster = pair.primary
    await pair.addStandby()
    await pair.untilSynchronous()
    const joinedAt = performance.now()
    await until('tickets are kept again', () => filedAt > joinedAt, { ms: 60_000, every: 5, signal })
    line?.mend('reset')
    longest.set(way, Math.max(longest.get(way) ?? 0, filedAt - joinedAt))
    await watch.readyz(200, 10_000, signal)
    say(`${index + 1} promotions (${way}), ${ledger.acknowledged} acknowledged`)
  }
  const after = await pair.timeline()
  await callers.stop()
  await watch.stop()
  const { isRunning } = bellhop
  // A commit that waits for a standby holds its key.
  const account = await scene.account({ allowed: [409] })
  return {
    times,
    ...account,
    checks: [
      { what: 'Bellhop ran on', seen: isRunning ? 'yes' : 'no', ok: isRunning },
      { what: 'timelines begun', seen: String(after - before), ok: after - before === times },
      count('requests without an answer', unanswered),
      ...[...longest].map(([way, ms]) => ({
        what: `longest time to a ticket, from a standby's joining (primary ${way})`,
        seen: `${(ms / 1000).toFixed(1)} s`,
        ok: ms < (way === 'silent' ? SILENT_MS : RECOVERY_MS),
      })),
      ...watch.checks(),
      ...account.checks,
    ],
  }
}

/** @returns the line to mend when Bellhop has found the new primary */
async function lose(pair: Pair, way: Way) {
  const { line, primary } = pair
  if (way === 'killed') {
    await primary.killAll()
    return null
  }
  if (way === 'cut off') line.cut()
  else line.silence()
  return line
}
