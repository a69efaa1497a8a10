import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import type { Fault, FaultReport } from './fault.ts'
import { type Load, startFlood } from './flooding.ts'
import { AUDIENCE, type ChaosIssuer, ISSUER } from './issuer.ts'
import { overloadChecks, RECOVERY_MS, type Seen } from './overload-checks.ts'
import { Probes } from './probes.ts'
import { type Scene, withScene } from './scene.ts'

const BRAND = 'acme'
/** Of the closed model that finds what is sustainable, and of those who come back after the load. */
const CALLERS = 32
const PATIENCE_MS = 5000

/** One load of the row. */
type Phase = Pick<Load, 'kept' | 'most' | 'fresh'> & {
  name: string
  /** What is sustainable, so many times. */
  times: number
  /** In the long form and in the short one. */
  seconds: { long: number; short: number }
  /** Of what is sustainable, at least. */
  accepts: number
}

const TEN_TIMES: Phase = {
  name: 'ten times',
  kept: 256,
  most: 2000,
  fresh: 0.1,
  times: 10,
  seconds: { long: 300, short: 6 },
  accepts: 0.2,
}
/** As a proxy that keeps no connection, whose cost is the same for each request, accepted or not. */
const FRESH: Phase = {
  name: 'a connection for each request',
  kept: 0,
  most: 2000,
  fresh: 1,
  times: 2,
  seconds: { long: 60, short: 3 },
  accepts: 0.4,
}

export const overload: Fault = {
  id: 'overload',
  title: `ten times the sustainable load for 5 minutes (open model; ${TEN_TIMES.kept} kept connections of a balancer, up to ${TEN_TIMES.most} in all, every tenth request on a connection of its own), and twice that load for a minute where each request brings a connection`,
  times: { long: 1, short: null },
  run: (context) =>
    withScene(
      context,
      {
        database: 'embedded',
        // More than Bellhop remembers: most tokens have to be verified.
        persons: context.form === 'long' ? 20_000 : 2000,
        writeBrandsFile: (issuer) => writeInboxBrand(context.folder, issuer),
      },
      run,
    ),
}

async function run(scene: Scene): Promise<FaultReport> {
  const { context } = scene
  const { form, say } = context
  await scene.start()
  const sustainable = await sustainableRate(scene, form === 'long' ? 10 : 1.5)
  say(`sustainable: ${sustainable.toFixed(0)} a second`)
  const checks = []
  for (const phase of [TEN_TIMES, FRESH]) {
    const seen = await load(scene, phase, sustainable)
    checks.push(...overloadChecks(seen, form === 'long' ? 1 : 2))
    say(`${phase.name}: over`)
  }
  const account = await scene.account({ desk: null })
  return { ...account, times: 1, arrived: null, checks: [...checks, ...account.checks] }
}

async function load(scene: Scene, phase: Phase, sustainable: number): Promise<Seen> {
  const bellhop = scene.bellhop()
  const { name, kept, most, fresh, times, seconds, accepts } = phase
  const load: Load = {
    kept,
    most,
    fresh,
    perSecond: sustainable * times,
    seconds: seconds[scene.context.form],
    patience: PATIENCE_MS,
  }
  const probes = new Probes(bellhop.port ?? 0, () => bellhop.residentMiB())
  const { over, result } = startFlood(scene, BRAND, load)
  await over
  await probes.stop()
  const recovered = await recovery(scene, sustainable)
  return { name, load, sustainable, accepts, flood: await result, probes, recovered }
}

/** Tickets a second, as so many of the flood's callers get them who each wait for their answer, after a warm-up. */
async function sustainableRate(scene: Scene, seconds: number): Promise<number> {
  const load = { kept: CALLERS, most: CALLERS, fresh: 0, perSecond: null, patience: PATIENCE_MS }
  await startFlood(scene, BRAND, { ...load, seconds: seconds / 2 }).result
  const { accepted } = await startFlood(scene, BRAND, { ...load, seconds }).result
  return accepted / seconds
}

/**
 * How long after the load the same callers find everything as it was: a whole second in which none of them was
 * turned away, and they got half of the sustainable rate, for there are the flood's last answers still to give.
 * @returns milliseconds to the end of that second; null where it did not come
 */
async function recovery({ call, context }: Scene, sustainable: number): Promise<number | null> {
  let accepted = 0
  let others = 0
  const observe = ({ answer }: { answer: unknown }) => {
    if (typeof answer === 'object' && answer !== null && 'status' in answer && answer.status === 201)
      accepted++
    else others++
  }
  const since = performance.now()
  const callers = call({ callers: CALLERS, brands: [BRAND], observe })
  let took: number | null = null
  while (took === null && performance.now() - since < 4 * RECOVERY_MS) {
    accepted = 0
    others = 0
    await pause(1000, undefined, { signal: context.signal })
    if (others === 0 && accepted > sustainable / 2) took = performance.now() - since
  }
  await callers.stop()
  return took
}

async function writeInboxBrand(folder: string, issuer: ChaosIssuer): Promise<string> {
  const path = join(folder, 'brands.yaml')
  const file = {
    issuers: [{ issuer: ISSUER, audience: AUDIENCE, jwks_file: issuer.jwksFile, algorithms: ['ES256'] }],
    brands: [
      { id: BRAND, name: 'Acme', issuers: [ISSUER], tickets_per_minute: 0, desk: { connector: 'inbox' } },
    ],
  }
  await writeFile(path, JSON.stringify(file), { mode: 0o600 })
  return path
}
