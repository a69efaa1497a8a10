import { readFileSync } from 'node:fs'
import { setTimeout as pause } from 'node:timers/promises'
import type { Database } from '../../server/src/database/pool.ts'
import type { Outcome } from './callers.ts'
import type { Check, Fault, FaultContext, FaultReport } from './fault.ts'
import { count } from './ledger.ts'
import { until } from './processes.ts'
import { whole } from './random.ts'
import { type Scene, withScene } from './scene.ts'
import { SmallDisk } from './small-disk.ts'
import { Watch } from './watch.ts'

const CALLERS = 4
const PER_SECOND = 10
/** Large enough that the database's disk is felt soon after it is full. */
const BODY = 20_000
const ATTACHMENT = 8192
/** Of the whole DATA_DIR, and of the folder of blobs in it. */
const DATA_MIB = 2048
const BLOBS_MIB = 512
/** Milliseconds that a disk stays full after it was felt, at most. */
const FULL_MS = 6000
/** Milliseconds until tickets are kept again: the supervisor waits 5 s at most, then PostgreSQL recovers. */
const RECOVERY_MS = 15_000

type Disk = 'blobs' | 'database' | 'both'
const DISKS: Disk[] = ['blobs', 'database', 'both']

export const diskFull: Fault = {
  id: 'disk-full',
  title: 'The disk full: for blobs, for the embedded database, for both in turn',
  times: { long: 60, short: 1 },
  impossible: () => SmallDisk.impossible(),
  run,
}

async function run(context: FaultContext): Promise<FaultReport> {
  await using endings = new AsyncDisposableStack()
  const data = await SmallDisk.mount(`${context.folder}/data`, DATA_MIB)
  endings.defer(() => data.unmount())
  const blobs = await SmallDisk.mount(`${context.folder}/data/blobs`, BLOBS_MIB)
  endings.defer(() => blobs.unmount())
  return await withScene(context, { database: 'embedded' }, (scene) => fillUp(scene, { data, blobs }))
}

/** What the callers saw: of tickets with an attachment, and of those without. */
class Seen {
  filedAt = { plain: 0, attached: 0 }
  refused = { plain: 0, attached: 0 }
  unanswered = 0

  noteOf(kind: 'plain' | 'attached') {
    return ({ answer, endedAt }: Outcome) => {
      if (typeof answer === 'string') this.unanswered++
      else if (answer.status === 201) this.filedAt[kind] = endedAt
      else if (answer.status === 503) this.refused[kind]++
    }
  }
}

async function fillUp(scene: Scene, disks: { data: SmallDisk; blobs: SmallDisk }): Promise<FaultReport> {
  const { context, ledger } = scene
  const { random, say, signal, times } = context
  const bellhop = await scene.start()
  await using endings = new AsyncDisposableStack()
  const watch = new Watch(() => bellhop.port)
  endings.defer(() => watch.stop())
  const database = await scene.database()
  const seen = new Seen()
  const how = { callers: CALLERS, perSecond: PER_SECOND, bodyLength: BODY }
  const callers = [
    scene.call({ ...how, observe: seen.noteOf('plain') }),
    scene.call({ ...how, attachmentBytes: ATTACHMENT, observe: seen.noteOf('attached') }),
  ]
  await until('the first tickets', () => seen.filedAt.plain > 0 && seen.filedAt.attached > 0, { signal })
  const longest = new Map<Disk, number>()
  let plainWhileBlobs = 0
  for (let index = 0; index < times; index++) {
    const disk = DISKS[index % DISKS.length] ?? 'both'
    const full = { blobs: [disks.blobs], database: [disks.data], both: [disks.data, disks.blobs] }[disk]
    const refused = { ...seen.refused }
    const kind = disk === 'blobs' ? 'attached' : 'plain'
    // PostgreSQL gives back a little when it dies: what is free is taken again as long as the disk is full.
    for (const one of full) await one.fill()
    if (disk !== 'blobs' && index % 2 === 1) await endLog(database)
    const felt = () => seen.refused[kind] > refused[kind]
    await until(
      'a ticket is refused',
      async () => {
        if (felt()) return true
        await Promise.all(full.map((one) => one.fill()))
        return false
      },
      { ms: 120_000, every: 200, signal },
    )
    const feltAt = performance.now()
    await pause(whole(random, 1000, FULL_MS), undefined, { signal })
    await watch.readyz(503, 20_000, signal)
    if (disk === 'blobs' && seen.filedAt.plain > feltAt) plainWhileBlobs++
    for (const one of full) await one.makeRoom()
    const roomAt = performance.now()
    const back = () => seen.filedAt.plain > roomAt && seen.filedAt.attached > roomAt
    await until('tickets are kept again', back, { ms: 120_000, every: 5, signal }).catch(async (error) => {
      say(
        `MiB free: ${await disks.data.freeMiB()} for the database, ${await disks.blobs.freeMiB()} for blobs`,
      )
      throw error
    })
    longest.set(disk, Math.max(longest.get(disk) ?? 0, performance.now() - roomAt))
    await watch.readyz(200, 20_000, signal)
    say(`${index + 1} full disks (${disk}), ${ledger.acknowledged} acknowledged`)
    await pause(whole(random, 0, 1000), undefined, { signal })
  }
  await Promise.all(callers.map((one) => one.stop()))
  await watch.stop()
  const { isRunning } = bellhop
  const account = await scene.account()
  const blobTimes = Math.ceil(times / DISKS.length)
  return {
    times,
    ...account,
    checks: [
      { what: 'Bellhop ran on', seen: isRunning ? 'yes' : 'no', ok: isRunning },
      {
        what: 'times that tickets without attachments were kept while the blobs had no room',
        seen: `${plainWhileBlobs} of ${blobTimes}`,
        ok: plainWhileBlobs === blobTimes,
      },
      count('requests without an answer', seen.unanswered),
      ...[...longest].map(([disk, ms]) => ({
        what: `longest time to the next ticket after room was made (${disk})`,
        seen: `${(ms / 1000).toFixed(1)} s`,
        ok: ms < RECOVERY_MS,
      })),
      ...logChecks(bellhop.log, times > 1),
      ...watch.checks(),
      ...account.checks,
    ],
  }
}

/** Has PostgreSQL begin new files of its log until there is no room for one, of which it dies (PANIC). */
async function endLog({ sql }: Database): Promise<void> {
  for (let files = 0; files < 100; files++) {
    try {
      await sql`select pg_logical_emit_message(true, 'chaos', 'full')`
      await sql`select pg_switch_wal()`
    } catch {
      return
    }
  }
}

/** What the operator reads of it: each refusal has a code that says why, and nothing is taken for a bug. */
function logChecks(log: string, dies: boolean): Check[] {
  const codes = new Set<string>()
  let bugs = 0
  let deaths = 0
  for (const line of readFileSync(log, 'utf8').split('\n')) {
    if (line.includes('"event":"internal_error"')) bugs++
    if (line.includes('"event":"database_died"')) deaths++
    if (line.includes('"event":"unavailable"')) codes.add(/"code":"([^"]+)"/.exec(line)?.[1] ?? 'none')
  }
  return [
    {
      what: 'codes of the log for what was refused',
      seen: [...codes].toSorted().join(', '),
      ok: codes.has('ENOSPC') && !codes.has('none') && !codes.has('UNKNOWN'),
    },
    count('internal errors in the log', bugs),
    {
      what: 'times that PostgreSQL died of it and was started again',
      seen: String(deaths),
      ok: deaths > 0 || !dies,
    },
  ]
}
