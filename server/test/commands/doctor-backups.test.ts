import { mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { checkBackups } from '../../src/commands/doctor-backups.ts'

const HOUR = 3_600_000
const NOW = Date.parse('2026-03-10T12:00:00Z')

let parent: string
let folder: string
beforeEach(async () => {
  parent = await mkdtemp(join(tmpdir(), 'bellhop-test-'))
  folder = join(parent, 'backups')
})
afterEach(() => rm(parent, { recursive: true, force: true }))

const check = (every = 24 * HOUR) => checkBackups({ folder, every, keep: 7 }, NOW)

test('a folder without a backup is a fault, and is made where it is not there', async () => {
  expect(await check()).toMatchObject({ ok: false, detail: expect.stringContaining('has none yet') })
  expect(await readdir(folder)).toEqual([])
})

test('the newest may be twice as old as it should become', async () => {
  await mkdir(folder)
  await writeFile(join(folder, 'bellhop-20260301T000000Z.tar.zst'), '')
  await writeFile(join(folder, 'bellhop-20260308T120000Z.tar.zst'), '')
  expect(await check()).toEqual({
    what: 'backups',
    ok: true,
    detail: `the newest in ${folder} is 2 days old, of 2026-03-08 12:00:00 UTC`,
  })
  expect(await check(23 * HOUR)).toMatchObject({
    ok: false,
    detail: expect.stringContaining('is a worker running?'),
  })
})

test('one without some attachments is a fault, and the last complete one is named', async () => {
  await mkdir(folder)
  await writeFile(join(folder, 'bellhop-20260309T120000Z.incomplete.tar.zst'), '')
  const detail = `the newest in ${folder} is without some attachments, and none before it is complete: doctor --deep names them`
  expect(await check()).toEqual({ what: 'backups', ok: false, detail })
  await writeFile(join(folder, 'bellhop-20260308T120000Z.tar.zst'), '')
  expect(await check()).toMatchObject({
    ok: false,
    detail: expect.stringContaining('2026-03-08 12:00:00 UTC'),
  })
})

test('a folder that cannot be written, or is in one that is not there, is told with its code', async () => {
  await writeFile(folder, 'a file')
  expect(await check()).toMatchObject({
    ok: false,
    detail: expect.stringContaining('cannot be written (ENOTDIR)'),
  })
  folder = join(parent, 'disk', 'backups')
  expect(await check()).toMatchObject({
    ok: false,
    detail: expect.stringContaining('cannot be written (ENOENT)'),
  })
})
