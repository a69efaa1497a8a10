import { createReadStream } from 'node:fs'
import { mkdir, mkdtemp, readdir, rename, rm, stat, utimes, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { readArchive } from '../../src/backup/archive-reader.ts'
import { brandOf, startBellhop, type TestBellhop, type TestBellhopOptions, TICKET } from '../bellhop.ts'
import { until } from '../database/embedded/processes.ts'

const HOUR = 3_600_000
const DAY = 24 * HOUR

let folder: string
let parent: string
let time: number
let stops: (() => Promise<void>)[]
beforeEach(async () => {
  parent = await mkdtemp(join(tmpdir(), 'bellhop-test-'))
  folder = join(parent, 'backups')
  time = Date.parse('2026-03-01T12:00:00Z')
  stops = [() => rm(parent, { recursive: true, force: true })]
})
afterEach(async () => {
  for (const stop of stops.reverse()) await stop()
})

/** A worker whose days pass when the test says so; it looks all the time. */
async function start(options: TestBellhopOptions = {}): Promise<TestBellhop> {
  const bellhop = await startBellhop({
    brands: (issuer) => [brandOf('acme', issuer)],
    backups: { folder, every: DAY, keep: 3 },
    backupLook: 20,
    now: () => time,
    ...options,
  })
  stops.push(() => bellhop.stop())
  return bellhop
}

const names = async () => (await readdir(folder).catch(() => [])).sort()
const untilThere = (name: string) => until(async () => (await names()).includes(name))
const metricsOf = async (bellhop: TestBellhop) => (await bellhop.ask('/metrics')).text
const readingOf = (text: string, name: string) =>
  Number(
    new RegExp(`^${name.replaceAll(/[{}]/g, '\\$&')} (\\S+)$`, 'm')
      .exec(text)?.[1]
      ?.replace('Inf', 'Infinity'),
  )

describe('a worker with a folder for backups', () => {
  test('makes one soon, then one each day, keeps the newest three, and touches nothing else', async () => {
    await mkdir(folder)
    const others = [
      'bellhop-20200101T000000Z.tar.zst.keep',
      'bellhop-20260229T000000Z.tar.zst',
      'bellhop-20200101T990000Z.tar.zst',
      'bellhop-mine.tar.zst',
      'notes.txt',
    ]
    for (const name of others) await writeFile(join(folder, name), 'mine')
    others.push('bellhop-20200101T000000Z.tar.zst')
    await mkdir(join(folder, 'bellhop-20200101T000000Z.tar.zst'))
    const bellhop = await start()
    await untilThere('bellhop-20260301T120000Z.tar.zst')
    expect((await stat(join(folder, 'bellhop-20260301T120000Z.tar.zst'))).mode & 0o777).toBe(0o600)
    for (const day of ['02', '03', '04', '05']) {
      time += DAY
      await untilThere(`bellhop-202603${day}T120000Z.tar.zst`)
    }
    const kept = ['03', '04', '05'].map((day) => `bellhop-202603${day}T120000Z.tar.zst`)
    await until(async () => (await names()).length === kept.length + others.length)
    expect(await names()).toEqual([...kept, ...others].sort())
    expect(bellhop.logged()).toContain('"event":"backup_made"')
    const text = await metricsOf(bellhop)
    expect(readingOf(text, 'bellhop_backups_total{outcome="made"}')).toBe(5)
    expect(readingOf(text, 'bellhop_backups_total{outcome="failed"}')).toBe(0)
    expect(readingOf(text, 'bellhop_backup_duration_seconds')).toBeGreaterThan(0)
    const newest = join(folder, kept.at(-1) ?? '')
    expect(readingOf(text, 'bellhop_backup_bytes')).toBe((await stat(newest)).size)
  })

  test('what it makes holds the tickets that were accepted before', async () => {
    const bellhop = await start({ backups: { folder, every: 365 * DAY, keep: 3 } })
    await untilThere('bellhop-20260301T120000Z.tar.zst')
    for (let i = 0; i < 5; i++) expect((await bellhop.file()).status).toBe(201)
    time += 365 * DAY
    await untilThere('bellhop-20270301T120000Z.tar.zst')
    const manifest = await readArchive(
      createReadStream(join(folder, 'bellhop-20270301T120000Z.tar.zst')),
      { head: async () => {}, part: async () => {}, blob: async () => {} },
      { onBytes: () => {}, signal: new AbortController().signal },
    )
    expect(manifest.tables.find(({ name }) => name === 'tickets')?.rows).toBe(5)
  })

  test('says how old the newest is, also after a restart, and says it where there is none', async () => {
    await mkdir(folder)
    await writeFile(join(folder, 'bellhop-20260301T060000Z.tar.zst'), '')
    const bellhop = await start()
    const age = 'bellhop_backup_age_seconds'
    await until(async () => readingOf(await metricsOf(bellhop), age) === 6 * 3600)
    time += HOUR
    expect(readingOf(await metricsOf(bellhop), age)).toBe(7 * 3600)
    expect(await names()).toHaveLength(1)
    // Nothing can be made in place of it, and it is gone.
    await rm(folder, { recursive: true })
    await writeFile(folder, 'not a folder')
    await until(async () => (await metricsOf(bellhop)).includes(`${age} +Inf`))
    await until(() => /"code":"ENOTDIR".*"event":"backup_failed"/.test(bellhop.logged()))
    expect(readingOf(await metricsOf(bellhop), 'bellhop_backups_total{outcome="failed"}')).toBeGreaterThan(0)
    await rm(folder)
    // Tried again by itself.
    await untilThere('bellhop-20260301T130000Z.tar.zst')
    await until(async () => readingOf(await metricsOf(bellhop), age) === 0)
  })

  test('a clock that was put back does not keep it from making one', async () => {
    await mkdir(folder)
    await writeFile(join(folder, 'bellhop-20300101T000000Z.tar.zst'), '')
    await start()
    await untilThere('bellhop-20260301T120000Z.tar.zst')
  })

  test('as many from the future as are kept do not push out the one that it makes', async () => {
    await mkdir(folder)
    const future = ['01', '02', '03'].map((day) => `bellhop-203001${day}T000000Z.tar.zst`)
    for (const name of future) await writeFile(join(folder, name), '')
    const bellhop = await start()
    for (const day of ['01', '02', '03', '04']) {
      time = Date.parse(`2026-03-${day}T12:00:00Z`)
      await until(async () => readingOf(await metricsOf(bellhop), 'bellhop_backup_age_seconds') === 0)
    }
    const kept = ['02', '03', '04'].map((day) => `bellhop-202603${day}T120000Z.tar.zst`)
    await until(async () => (await names()).length === kept.length + future.length)
    expect(await names()).toEqual([...kept, ...future].sort())
    expect(readingOf(await metricsOf(bellhop), 'bellhop_backups_total{outcome="made"}')).toBe(4)
  })

  test('sweeps what a killed one left, but not what another still writes', async () => {
    await mkdir(folder)
    const left = join(folder, 'bellhop-20260228T120000Z.tar.zst.0123abcd.unfinished')
    const fresh = join(folder, 'bellhop-20260301T115900Z.tar.zst.0123abcd.unfinished')
    const other = join(folder, 'other.unfinished')
    for (const file of [left, fresh, other]) await writeFile(file, '')
    await utimes(left, time / 1000 - 3600, time / 1000 - 3600)
    await utimes(other, time / 1000 - 3600, time / 1000 - 3600)
    await utimes(fresh, time / 1000 - 60, time / 1000 - 60)
    await start()
    await untilThere('bellhop-20260301T120000Z.tar.zst')
    await until(async () => (await names()).length === 3)
    expect(await names()).toEqual([
      'bellhop-20260301T115900Z.tar.zst.0123abcd.unfinished',
      'bellhop-20260301T120000Z.tar.zst',
      'other.unfinished',
    ])
  })
})

describe('where attachments cannot be read', () => {
  const attachment = { filename: 'a.txt', content_base64: Buffer.from('a claim').toString('base64') }
  const stampOf = (day: string) => `bellhop-202603${day}T120000Z`
  const age = async (bellhop: TestBellhop) =>
    readingOf(await metricsOf(bellhop), 'bellhop_backup_age_seconds')

  /** Three complete backups of a ticket with an attachment. */
  async function withThree(): Promise<TestBellhop> {
    const worker = await start()
    expect(await worker.file({ ...TICKET, attachment })).toMatchObject({ status: 201 })
    for (const day of ['01', '02', '03']) {
      time = Date.parse(`2026-03-${day}T12:00:00Z`)
      await untilThere(`${stampOf(day)}.tar.zst`)
    }
    await until(async () => (await age(worker)) === 0)
    return worker
  }

  const complete = ['01', '02', '03'].map((day) => `${stampOf(day)}.tar.zst`)

  test('the complete backups stay, whatever many come after without them', async () => {
    const worker = await withThree()
    const blobs = join(worker.dataDir, 'blobs')
    const [file] = (await readdir(blobs, { recursive: true })).filter((name) => /[0-9a-f]{64}$/.test(name))
    if (file === undefined) throw new Error('there is a blob')
    await rename(join(blobs, file), join(parent, 'aside'))
    for (const day of ['04', '05', '06', '07']) {
      time += DAY
      await untilThere(`${stampOf(day)}.incomplete.tar.zst`)
    }
    const incomplete = ['05', '06', '07'].map((day) => `${stampOf(day)}.incomplete.tar.zst`)
    await until(async () => (await names()).length === 6)
    expect(await names()).toEqual([...complete, ...incomplete])
    // The alarm is about the last one that would bring everything back.
    expect(await age(worker)).toBe((4 * DAY) / 1000)
    expect(worker.logged().match(/"event":"backup_incomplete"/g)).toHaveLength(4)

    await rename(join(parent, 'aside'), join(blobs, file))
    time += DAY
    await untilThere(`${stampOf('08')}.tar.zst`)
    await until(async () => (await age(worker)) === 0)
  })

  test('a folder that is not mounted fails the backup, which is made as soon as it is', async () => {
    const worker = await withThree()
    const blobs = join(worker.dataDir, 'blobs')
    await rename(blobs, join(parent, 'unmounted'))
    time += DAY
    await until(() => worker.logged().includes('backup_failed'))
    expect(await names()).toEqual(complete)
    expect(await age(worker)).toBe(DAY / 1000)
    await rm(blobs, { recursive: true, force: true })
    await rename(join(parent, 'unmounted'), blobs)
    await untilThere(`${stampOf('04')}.tar.zst`)
  })
})

test('what another worker writes is not swept, however long it has waited', async () => {
  await mkdir(folder)
  const left = 'bellhop-20260301T110000Z.tar.zst.0123abcd.unfinished'
  const old = 'bellhop-20260201T120000Z.tar.zst'
  for (const name of [left, old]) await writeFile(join(folder, name), '')
  await utimes(join(folder, left), time / 1000 - 3600, time / 1000 - 3600)
  const api = await start({ roles: { api: true, worker: false } })
  const letGo = Promise.withResolvers<void>()
  const locked = Promise.withResolvers<void>()
  const other = api.sql.begin(async (transaction) => {
    await transaction`SELECT pg_advisory_xact_lock(7090192401127531371)`
    locked.resolve()
    await letGo.promise
  })
  await locked.promise
  const worker = await start({ beside: api })
  const age = async () => readingOf(await metricsOf(worker), 'bellhop_backup_age_seconds')
  await until(async () => (await age()) === 28 * 24 * 3600)
  // Seen by a second look: the first one is over.
  await rm(join(folder, old))
  await until(async () => (await age()) === Infinity)
  expect(await names()).toEqual([left])
  letGo.resolve()
  await other
  await untilThere('bellhop-20260301T120000Z.tar.zst')
  expect(await names()).not.toContain(left)
})

test('three workers on one database make one backup', async () => {
  const first = await start()
  const workers = [first]
  for (let i = 0; i < 2; i++) {
    workers.push(await start({ beside: first, roles: { api: false, worker: true } }))
  }
  const wanted: string[] = []
  for (let day = 0; day < 4; day++) {
    if (day > 0) time += DAY
    const stamp = new Date(time).toISOString().replace(/[-:]|\.\d+/g, '')
    wanted.push(`bellhop-${stamp}.tar.zst`)
    await until(async () => (await names()).includes(wanted.at(-1) ?? ''))
  }
  const made = () => workers.flatMap((worker) => worker.logged().match(/"event":"backup_made"/g) ?? [])
  await until(() => made().length >= wanted.length)
  expect(made()).toHaveLength(wanted.length)
  const failed = workers.filter((worker) => worker.logged().includes('backup_failed'))
  expect(failed).toEqual([])
})

test('an api alone makes none, and neither does a worker without a folder', async () => {
  const api = await start({ roles: { api: true, worker: false } })
  const worker = await startBellhop({ beside: api })
  stops.push(() => worker.stop())
  expect(await metricsOf(api)).not.toContain('bellhop_backup')
  expect(await metricsOf(worker)).not.toContain('bellhop_backup')
})

test('a stop while one is made ends it in time, and leaves nothing of it', async () => {
  const bellhop = await start({ roles: { api: true, worker: false } })
  // The backup waits for the table: it has begun, and is not over by itself.
  const letGo = Promise.withResolvers<void>()
  const locked = Promise.withResolvers<void>()
  const blocker = bellhop.sql.begin(async (transaction) => {
    await transaction`LOCK TABLE attempt_answers IN ACCESS EXCLUSIVE MODE`
    locked.resolve()
    await letGo.promise
  })
  await locked.promise
  const worker = await startBellhop({
    beside: bellhop,
    roles: { api: false, worker: true },
    backups: { folder, every: DAY, keep: 3 },
    backupLook: 20,
    now: () => time,
  })
  await until(async () => (await names()).some((name) => name.endsWith('.unfinished')))
  const started = performance.now()
  await worker.stop()
  expect(performance.now() - started).toBeLessThan(9000)
  letGo.resolve()
  await blocker
  expect(await names()).toEqual([])
  expect(worker.logged()).not.toContain('backup_failed')
})
