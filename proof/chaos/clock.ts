import { setTimeout as pause } from 'node:timers/promises'
import type { Database } from '../../server/src/database/pool.ts'
import { ACME } from './brands.ts'
import { writeClockBrands } from './clock-brands.ts'
import { CARRIED_MS, checksOf, type Seen, WHOSE, type Whose } from './clock-checks.ts'
import { type ClockDesk, startClockDesk } from './clock-desk.ts'
import { ClockIssuer } from './clock-issuer.ts'
import { ClockProbes } from './clock-probes.ts'
import { Clocks, DAY, withOwnClock } from './clocks.ts'
import type { Fault, FaultContext, FaultReport } from './fault.ts'
import type { Person } from './issuer.ts'
import { count } from './ledger.ts'
import { until } from './processes.ts'
import { whole } from './random.ts'
import { type Scene, withScene } from './scene.ts'

/** No more than the slow desk takes, so that nothing waits for its turn. */
const CALLERS = 4
const PER_SECOND = 1
/** Seconds that the load's tokens are good for: beyond every jump. */
const LONG = (10 * DAY) / 1000
/** Seconds of a token that is past its time when the clock is a day ahead, and good again when it is back. */
const HOUR = 3600
/** Every so many jumps a key is added: an unknown key is asked for every 25 s at most. */
const KEY_EVERY = 5
/** Questions for keys: two for each jump and each added key, and one a minute. */
const KEY_QUESTIONS = 2

export const clock: Fault = {
  id: 'clock',
  title: "The clock jumps a day, forward and back: Bellhop's, the database's `now()`, both",
  times: { long: 50, short: null },
  run,
}

async function run(context: FaultContext): Promise<FaultReport> {
  await using endings = new AsyncDisposableStack()
  const desk = await startClockDesk()
  endings.defer(() => desk.close())
  const issuer = await ClockIssuer.start()
  endings.defer(() => issuer.close())
  return await withScene(
    context,
    {
      database: 'cluster',
      databaseUrl: ({ url }) => withOwnClock(url),
      writeBrandsFile: (chaosIssuer) => writeClockBrands(context.folder, chaosIssuer, issuer, desk.port),
    },
    (scene) => jump(scene, desk, issuer),
  )
}

async function jump(scene: Scene, desk: ClockDesk, issuer: ClockIssuer): Promise<FaultReport> {
  const { context, ledger } = scene
  const { folder, random, say, signal, times } = context
  const database = await scene.database()
  const clocks = await Clocks.install(folder, database)
  const environment = { CLOCK_FILE: clocks.file }
  const bellhop = await scene.start('start', { script: 'proof/chaos/clock-bellhop.ts', environment })
  const probes = new ClockProbes(() => bellhop.port ?? 0, ledger, issuer)
  await using endings = new AsyncDisposableStack()
  endings.defer(() => probes.close())
  const callers = scene.call({
    callers: CALLERS,
    perSecond: PER_SECOND,
    persons: await scene.issuer.persons(CALLERS, LONG),
    brands: [ACME],
  })
  const [brief, limited] = await briefAndLimited(scene)
  await until('the first tickets', () => ledger.acknowledged > 20, { signal })
  const seen: Seen = { expired: 0, expiredTaken: 0, good: 0, goodRefused: 0, longest: new Map() }
  const since = performance.now()
  for (let index = 0; index < times; index++) {
    const whose = WHOSE[index % WHOSE.length] ?? 'both'
    const revoke = await probes.opaque()
    await probes.useUp(limited.id, limited.token)
    await judge(probes, brief, clocks, seen)
    const waiting = await undelivered(database)
    await leap(clocks, bellhop.pid, whose, random() < 0.5 || index === 0 ? DAY : -DAY)
    const jumpedAt = performance.now()
    await judge(probes, brief, clocks, seen)
    await probes.useUp(limited.id, limited.token)
    // Of the database's clock no token knows.
    if (whose !== 'database') await revoke(signal)
    if (index % KEY_EVERY === 0) await probes.changeKey(signal)
    const carried = async () => (await stillWaiting(database, waiting)) === 0
    await until('what waited is carried', carried, { ms: 2 * CARRIED_MS, every: 100, signal })
    seen.longest.set(whose, Math.max(seen.longest.get(whose) ?? 0, performance.now() - jumpedAt))
    if ((index + 1) % 10 === 0) say(`${index + 1} jumps, ${ledger.acknowledged} acknowledged`)
    await pause(whole(random, 0, 1000), undefined, { signal })
  }
  const minutes = (performance.now() - since) / 60_000
  await callers.stop()
  await clocks.setProcess(bellhop.pid, 0)
  await clocks.setDatabase(0)
  const { isRunning } = bellhop
  const account = await scene.account({
    desk,
    keysMayEnd: true,
    patience: 2 * CARRIED_MS,
  })
  const lost = await leaseExpiries(database)
  const questions = KEY_QUESTIONS * (times + probes.keys) + Math.ceil(minutes) + 1
  return {
    times,
    ...account,
    checks: [
      ...checksOf(seen, probes),
      {
        what: `questions for the issuer's keys (of ${questions} at most)`,
        seen: String(issuer.keyQuestions),
        ok: issuer.keyQuestions <= questions,
      },
      count('attempts of one delivery at once', desk.atOnce()),
      count('leases lost', lost),
      count('doubles', account.doubles ?? 0),
      { what: 'Bellhop ran on', seen: isRunning ? 'yes' : 'no', ok: isRunning },
      ...account.checks,
    ],
  }
}

async function briefAndLimited({ issuer }: Scene): Promise<[Person, Person]> {
  const [[brief], [limited]] = await Promise.all([issuer.persons(1, HOUR), issuer.persons(1, LONG)])
  if (brief === undefined || limited === undefined) throw new Error('there are two people')
  return [brief, limited]
}

/** From the true time a day ahead or behind, and from there back. */
async function leap(clocks: Clocks, pid: number, whose: Whose, day: number): Promise<void> {
  if (whose !== 'database') await clocks.setProcess(pid, clocks.process === 0 ? day : 0)
  if (whose !== 'Bellhop') await clocks.setDatabase(clocks.database === 0 ? day : 0)
}

/** A token of an hour, which Bellhop has seen, is good unless its clock is a day ahead. */
async function judge(probes: ClockProbes, { id, token }: Person, clocks: Clocks, seen: Seen): Promise<void> {
  const status = await probes.file(ACME, id, token)
  if (clocks.process > 0) {
    seen.expired++
    if (status !== 401) seen.expiredTaken++
  } else {
    seen.good++
    if (status !== 201) seen.goodRefused++
  }
}

async function undelivered({ sql }: Database): Promise<string[]> {
  const rows = await sql<{ id: string }[]>`select id from deliveries where state in ('pending', 'leased')`
  return rows.map(({ id }) => id)
}

async function stillWaiting({ sql }: Database, ids: string[]): Promise<number> {
  const [row] = await sql<{ left: number }[]>`
    select count(*)::int as left from deliveries
    where state in ('pending', 'leased')
      and id in (select json_array_elements_text(${JSON.stringify(ids)}::text::json)::uuid)`
  return row?.left ?? 0
}

async function leaseExpiries({ sql }: Database): Promise<number> {
  const [row] = await sql<{ lost: number }[]>`
    select count(*)::int as lost from attempts where code = 'lease_expired'`
  return row?.lost ?? 0
}
