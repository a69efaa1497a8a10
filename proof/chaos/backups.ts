import { mkdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { openDatabase, type Sql } from '../../server/src/database/pool.ts'
import { backupChecks, nothingSeen, type Seen } from './backup-checks.ts'
import type { Fault, FaultContext, FaultReport } from './fault.ts'
import { Installation } from './installation.ts'
import { readKept } from './ledger.store.ts'
import type { Receipt } from './ledger.ts'
import { until } from './processes.ts'
import { whole } from './random.ts'
import { changedDeliveries, missingRows } from './restored-rows.ts'
import { type Scene, withScene } from './scene.ts'

const CALLERS = 8
const CALLERS_WITH_FILES = 2
const FILE_BYTES = 20_000
/** The longest that tickets come in before a backup begins, in milliseconds; they come until it has ended. */
const MOST_MS = 1500

export const backups: Fault = {
  id: 'backup',
  title: 'a backup under load, restored into a new database',
  times: { long: 20, short: 1 },
  run: (context) => withScene(context, { database: 'cluster' }, run),
}

async function run(scene: Scene): Promise<FaultReport> {
  const { context, installation, ledger } = scene
  const { times, random, signal, say } = context
  await scene.start()
  const seen = nothingSeen()
  const { sql } = await scene.database()
  for (let number = 1; number <= times; number++) {
    signal.throwIfAborted()
    const callers = [
      scene.call({ callers: CALLERS }),
      scene.call({ callers: CALLERS_WITH_FILES, attachmentBytes: FILE_BYTES }),
    ]
    const acknowledged = ledger.acknowledged + CALLERS
    await until('the first tickets', () => ledger.acknowledged >= acknowledged, { signal })
    await pause(whole(random, 200, MOST_MS))
    const before = [...ledger.receipts.values()]
    const archive = join(context.folder, `backup-${number}.tar.zst`)
    const made = await goesThrough(context, installation, 'backup', archive)
    await Promise.all(callers.map((one) => one.stop()))
    if (made) seen.backups++
    if (made) await bringBack(scene, sql, archive, before, seen)
    say(`${number} backups, ${ledger.acknowledged} acknowledged, ${seen.rows} rows compared`)
  }
  const account = await scene.account()
  return { times, ...account, checks: [...backupChecks(times, seen), ...account.checks] }
}

/** Into a new database, where nothing is carried before it was compared: all that was not delivered is on hold. */
async function bringBack(
  scene: Scene,
  source: Sql,
  archive: string,
  before: Receipt[],
  seen: Seen,
): Promise<void> {
  const { installation, cluster, context } = scene
  if (cluster === null) throw new Error('the row has a cluster')
  if (await goesThrough(context, installation, 'backup', '--verify', archive)) seen.verified++
  const name = `restored_${seen.backups}`
  await source`CREATE DATABASE ${source(name)}`
  const databaseUrl = cluster.url.replace(/[^/]*$/, name)
  const folder = join(context.folder, name)
  await mkdir(folder)
  const restored = new Installation({ folder, brandsFile: installation.brandsFile, databaseUrl })
  try {
    if (!(await goesThrough(context, restored, 'restore', '--hold', archive))) return
    seen.restored++
    const undelivered = await compare(source, databaseUrl, before, seen)
    if (await goesThrough(context, restored, 'doctor', '--deep')) seen.doctored++
    await carryOn(scene, source, { restored, databaseUrl, undelivered }, seen)
  } finally {
    await restored.close()
    await source`DROP DATABASE ${source(name)} WITH (FORCE)`
    await rm(folder, { recursive: true, force: true })
    await rm(archive)
  }
}

type Copy = { restored: Installation; databaseUrl: string; undelivered: number }

/**
 * The hold ends, and the copy carries on. The first one has delivered everything meanwhile, so the desks get
 * twice what the copy has to carry, and nothing else.
 */
async function carryOn({ context, desk }: Scene, source: Sql, copy: Copy, seen: Seen): Promise<void> {
  const { restored, databaseUrl, undelivered } = copy
  const { signal } = context
  await until('the first one has carried all', async () => (await countWaiting(source)) === 0, {
    ms: 60_000,
    signal,
  })
  const before = (await desk.report()).doubles
  const database = openDatabase({ kind: 'url', url: databaseUrl }, { max: 1, applicationName: 'chaos' })
  try {
    const bellhop = await restored.start()
    seen.carriedOnHold += (await desk.report()).doubles - before
    if (!(await goesThrough(context, restored, 'deliveries', 'release'))) return
    const isCarried = async () => (await countWaiting(database.sql)) === 0
    await until('the copy has carried all', isCarried, { ms: 120_000, signal })
    await bellhop.stop()
    seen.undelivered += undelivered
    seen.carriedByCopies += (await desk.report()).doubles - before
    seen.released++
  } finally {
    await database.close()
  }
}

async function countWaiting(sql: Sql): Promise<number> {
  const [row] = await sql<{ count: number }[]>`
    SELECT count(*)::int AS count FROM deliveries WHERE state IN ('pending', 'leased')`
  return row?.count ?? 0
}

/** Runs a command, and shows what it printed where it fails. */
async function goesThrough(
  context: FaultContext,
  installation: Installation,
  ...args: string[]
): Promise<boolean> {
  const { status, output } = await installation.run(...args)
  if (status !== 0) context.say(`${args[0]}: ${output.trim()}`)
  return status === 0
}

/** @returns how many deliveries the copy has to carry */
async function compare(source: Sql, databaseUrl: string, before: Receipt[], seen: Seen): Promise<number> {
  const restored = openDatabase(
    { kind: 'url', url: databaseUrl },
    { max: 2, applicationName: 'chaos', statementTimeout: 120_000 },
  )
  try {
    // The driver never gives a session to whoever reserves one in a pool that has none open yet.
    await restored.sql`SELECT`
    const kept = await readKept(restored.sql, before)
    seen.acknowledged += before.length
    seen.lost += before.length - kept.whole
    seen.halfWritten += kept.halfWritten
    const { rows, missing } = await missingRows(restored.sql, source)
    seen.rows += rows
    seen.other += missing
    const [row] = await restored.sql<{ count: number }[]>`SELECT count(*)::int AS count FROM attachments`
    seen.attachments += row?.count ?? 0
    const { undelivered, changed } = await changedDeliveries(restored.sql, source)
    seen.changedDeliveries += changed
    return undelivered
  } finally {
    await restored.close()
  }
}
