import { setTimeout as pause } from 'node:timers/promises'
import type { Check, Fault, FaultReport } from './fault.ts'
import { count } from './ledger.ts'
import { whole } from './random.ts'
import { type Scene, withScene } from './scene.ts'

/** Of each kind: with a connection that they keep, and with one for each request. */
const CALLERS = 8
/** From when it answers until it is told to stop, in milliseconds. */
const LIFE_MS = 500
const STOP_MS = 10_000

export const sigterm: Fault = {
  id: 'sigterm',
  title: 'SIGTERM under load',
  times: { long: 100, short: 2 },
  run: (context) => withScene(context, { database: 'embedded', brands: { wait: '2s' } }, run),
}

/** What the callers and the process saw of all stops. */
type Seen = {
  broken: number
  brokenKept: number
  refusedInAnswer: number
  exits: Map<string, number>
  slowest: number
}

async function run(scene: Scene): Promise<FaultReport> {
  const { context, ledger } = scene
  const { random, signal, say, times } = context
  const seen: Seen = { broken: 0, brokenKept: 0, refusedInAnswer: 0, exits: new Map(), slowest: 0 }
  const callers = [true, false].map((keepAlive) =>
    scene.call({
      callers: CALLERS,
      keepAlive,
      observe: ({ answer }) => {
        if (answer === 'broken' || answer === 'late') seen[keepAlive ? 'brokenKept' : 'broken']++
        else if (answer !== 'refused' && answer.status !== 201) seen.refusedInAnswer++
      },
    }),
  )
  for (let stop = 1; stop <= times; stop++) {
    signal.throwIfAborted()
    const bellhop = await scene.start()
    await pause(whole(random, 100, LIFE_MS))
    const { status, signal: died, ms } = await bellhop.stop()
    const how = died ?? String(status)
    seen.exits.set(how, (seen.exits.get(how) ?? 0) + 1)
    seen.slowest = Math.max(seen.slowest, ms)
    if (stop % 10 === 0) say(`${stop} stops, ${ledger.acknowledged} acknowledged, ${seen.broken} broken`)
  }
  await scene.start()
  await Promise.all(callers.map((one) => one.stop()))
  const account = await scene.account()
  return { times, ...account, checks: [...checksOf(seen), ...account.checks] }
}

function checksOf({ broken, brokenKept, refusedInAnswer, exits, slowest }: Seen): Check[] {
  return [
    count('requests broken off on new connections', broken),
    count('requests broken off on kept connections', brokenKept),
    count('requests answered otherwise than with 201', refusedInAnswer),
    {
      what: 'exit status',
      seen: [...exits].map(([how, times]) => `${how} (${times} ×)`).join(', '),
      ok: [...exits.keys()].every((how) => how === '0'),
    },
    { what: 'slowest stop', seen: `${(slowest / 1000).toFixed(1)} s`, ok: slowest < STOP_MS },
  ]
}
