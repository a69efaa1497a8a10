import { readdir, rm } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { BlobFolder } from '../../src/blobs/blob-folder.ts'
import type { DatabaseEndpoint } from '../../src/database/pool.ts'
import { openShell, type Running, type Shell } from '../commands/command-line.ts'
import { until } from '../database/embedded/processes.ts'
import { createTestDatabase, type TestDatabase } from '../database/test-database.ts'
import { fillInBulk, rowsOf, tablesOf } from './filled.ts'

let shell: Shell
let source: TestDatabase
let target: TestDatabase
let folder: string
let archive: string
beforeAll(async () => {
  shell = await openShell()
  source = await createTestDatabase()
  target = await createTestDatabase({ migrated: false })
  folder = dirname(shell.dataDir)
  archive = join(folder, 'bellhop.tar.zst')
  await fillInBulk(source.sql, new BlobFolder(join(shell.dataDir, 'blobs')), 6000, 120)
  expect(await shell.run(['backup', archive], fromSource())).toMatchObject({ status: 0, errors: '' })
}, 60_000)
afterAll(async () => {
  await shell.stop()
  await source.stop()
  await target.stop()
})

let dataDir = ''
let rounds = 0
beforeEach(() => {
  dataDir = join(folder, `restored-${rounds++}`)
})

const fromSource = () => ({ DATABASE_URL: urlOf(source.endpoint) })
const intoTarget = () => ({ DATABASE_URL: urlOf(target.endpoint), DATA_DIR: dataDir })

function urlOf(endpoint: DatabaseEndpoint): string {
  if (endpoint.kind !== 'socket') throw new Error('it is reached by its socket')
  const { user, password, path, database } = endpoint
  return `postgresql://${user}:${encodeURIComponent(password)}@/${database}?host=${encodeURIComponent(dirname(path))}`
}

/** Whose the folder is: nobody's before the rows that name its files are there. */
const ownerRestored = () => new BlobFolder(join(dataDir, 'blobs')).owner()

async function blobsRestored(): Promise<number> {
  const names = await readdir(join(dataDir, 'blobs'), { recursive: true }).catch(() => [])
  return names.filter((name) => /[0-9a-f]{64}$/.test(name)).length
}

/** Waits until the process is at a statement that begins so. */
async function at(running: Running, statement: string): Promise<void> {
  for (;;) {
    if (running.child.exitCode !== null) throw new Error(`it was never seen at ${statement}`)
    const [row] = await target.sql`SELECT FROM pg_stat_activity
      WHERE datname = current_database() AND application_name = 'bellhop restore' AND query LIKE ${`${statement}%`}`
    if (row !== undefined) return
  }
}

/** The server notices that a session's process has died. */
async function gone(): Promise<void> {
  await until(async () => {
    const sessions = await target.sql`SELECT FROM pg_stat_activity
      WHERE datname = current_database() AND application_name = 'bellhop restore'`
    return sessions.length === 0
  })
}

const MOMENTS: [string, (running: Running) => Promise<unknown>][] = [
  ['while the first rows come in', (running) => at(running, 'COPY "audit_entries"')],
  ['while rows that refer to others come in', (running) => at(running, 'COPY "deliveries"')],
  ['while attachments are written', () => until(async () => (await blobsRestored()) > 20)],
  ['when all is there, before COMMIT', (running) => at(running, 'ANALYZE')],
]

test.each(MOMENTS)(
  'a restore that is killed %s leaves the database empty, and the next one goes through',
  async (_, moment) => {
    const running = shell.start(['restore', archive], intoTarget())
    await moment(running)
    running.child.kill('SIGKILL')
    expect(await running.ended).toMatchObject({ signal: 'SIGKILL', out: '' })
    await gone()
    expect(await tablesOf(target.sql)).toEqual([])
    expect(await ownerRestored()).toBeNull()
    expect(await shell.run(['restore', archive], intoTarget())).toMatchObject({ status: 0, errors: '' })
    expect(await rowsOf(target.sql)).toEqual(await rowsOf(source.sql))
    expect(await blobsRestored()).toBe(120)
    await target.sql`DROP SCHEMA public CASCADE`
    await target.sql`CREATE SCHEMA public`
  },
  60_000,
)

test.each(MOMENTS)(
  'a restore that is told to stop %s leaves nothing at all',
  async (_, moment) => {
    const running = shell.start(['restore', archive], intoTarget())
    await moment(running)
    running.child.kill('SIGINT')
    expect(await running.ended).toMatchObject({
      status: 1,
      out: '',
      errors: 'bellhop: Stopped\n',
    })
    await gone()
    expect(await tablesOf(target.sql)).toEqual([])
    expect(await blobsRestored()).toBe(0)
    expect(await ownerRestored()).toBeNull()
  },
  60_000,
)

const unfinished = async () => (await readdir(folder)).filter((name) => name.endsWith('.unfinished'))

test('a backup that is killed is no file of its name; one that is told to stop leaves none at all', async () => {
  const file = join(folder, 'killed.tar.zst')
  const killed = shell.start(['backup', file], fromSource())
  await until(async () => (await unfinished()).length > 0)
  killed.child.kill('SIGKILL')
  await killed.ended
  const [left] = await unfinished()
  if (left === undefined) throw new Error('it was over before it was killed')
  expect(left).toMatch(/^killed\.tar\.zst\.[0-9a-f]{8}\.unfinished$/)
  const verified = await shell.run(['backup', '--verify', join(folder, left)], fromSource())
  expect(verified).toMatchObject({ status: 1, out: '' })
  expect(verified.errors).toMatch(/^bellhop: [^\n]+\n$/)
  await rm(join(folder, left))

  const stopped = shell.start(['backup', file], fromSource())
  await until(async () => (await unfinished()).length > 0)
  stopped.child.kill('SIGTERM')
  expect(await stopped.ended).toMatchObject({
    status: 1,
    errors: 'bellhop: Stopped\n',
  })
  expect((await readdir(folder)).filter((name) => name.startsWith('killed'))).toEqual([])

  expect(await shell.run(['backup', file], fromSource())).toMatchObject({ status: 0 })
  expect(await shell.run(['backup', '--verify', file])).toMatchObject({ status: 0, errors: '' })
}, 60_000)
