import { setTimeout as pause } from 'node:timers/promises'
import type { TicketCrashPoint } from '../../server/src/crash-points.ts'
import type { Check, Fault, FaultContext, FaultReport } from './fault.ts'
import { shuffled, whole } from './random.ts'
import { type Scene, withScene } from './scene.ts'

const POINTS: TicketCrashPoint[] = ['before_commit', 'after_commit', 'before_attempt', 'after_attempt']
/**
 * How often a process passes its point before it dies there. Attempts are fewer than tickets where the desks are
 * slower than the callers.
 */
const PASSES: Record<TicketCrashPoint, [least: number, most: number]> = {
  before_commit: [1, 600],
  after_commit: [1, 600],
  before_attempt: [1, 300],
  after_attempt: [1, 300],
}
/** Tickets for each kill, to be acknowledged before the last one; it is killed on until they are. */
const TICKETS = { long: 200, short: 50 }
/** It makes at most so many times the kills that it was told. */
const MOST_PLANS = 10
/** In the short form it dies earlier, by so much. */
const SHORTER = 4
/** The longest that a process lives that dies at a random moment, from when it answers, in milliseconds. */
const LIFE_MS = 800
const CALLERS = 24
/** An answer waits for the desk, but not so long that the callers wait for slow desks. */
const WAIT = '100ms'

/** How one process dies: at a point after so many passes, or at a random moment, perhaps before it answers. */
type Death = { point: TicketCrashPoint; passes: number } | { afterMs: number; answering: boolean }

export const killBellhop: Fault = {
  id: 'kill-bellhop',
  title: '`kill -9` of Bellhop, at random moments and at each marked crash point',
  times: { long: 500, short: 5 },
  run: (context) => withScene(context, { database: 'cluster', brands: { wait: WAIT } }, run),
}

async function run(scene: Scene): Promise<FaultReport> {
  const { context, ledger } = scene
  const callers = scene.call({ callers: CALLERS })
  const least = context.times * TICKETS[context.form]
  let kills = 0
  for (const death of deaths(context)) {
    if (kills >= context.times && ledger.acknowledged >= least) break
    context.signal.throwIfAborted()
    await live(scene, death)
    kills++
    if (kills % 10 === 0) context.say(`${kills} kills, ${ledger.acknowledged} acknowledged`)
  }
  const inDanger = ledger.acknowledged
  await scene.start()
  await callers.stop()
  const account = await scene.account()
  return { times: kills, ...account, checks: [dangerCheck(inDanger, least), ...account.checks] }
}

/** What is acknowledged after the last kill has not been in danger, and proves nothing. */
function dangerCheck(acknowledged: number, least: number): Check {
  return {
    what: 'acknowledged by the last kill',
    seen: `${acknowledged} of at least ${least}`,
    ok: acknowledged >= least,
  }
}

/** One plan after the other, since a slow machine needs more kills until enough is acknowledged. */
function* deaths(context: FaultContext): Generator<Death> {
  for (let plans = 0; plans < MOST_PLANS; plans++) yield* plan(context)
}

/** A fifth at random moments, of which one in ten before it answers; the others at the points in equal parts. */
function plan({ times, random, form }: FaultContext): Death[] {
  const deaths = Array.from({ length: times }, (_, index): Death => {
    const point = POINTS[index % (POINTS.length + 1)]
    if (point !== undefined) {
      const passes = whole(random, ...PASSES[point])
      return { point, passes: form === 'long' ? passes : Math.ceil(passes / SHORTER) }
    }
    return { afterMs: whole(random, 0, LIFE_MS), answering: random() >= 0.1 }
  })
  return shuffled(random, deaths)
}

async function live(scene: Scene, death: Death): Promise<void> {
  if ('point' in death) {
    const { point, passes } = death
    const script = 'proof/chaos/crashing.ts'
    const bellhop = await scene.start('start', { script, args: [point, String(passes)] })
    const { signal } = await bellhop.ended
    if (signal !== 'SIGKILL') throw new Error(`it ended by itself instead of at ${point}`)
    return
  }
  const { installation } = scene
  if (!death.answering) {
    const bellhop = installation.spawn()
    await pause(death.afterMs)
    await bellhop.kill()
    return
  }
  const bellhop = await scene.start()
  await pause(death.afterMs)
  await bellhop.kill()
}
