import { renameSync } from 'node:fs'
import { mkdir, readdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { PassThrough } from 'node:stream'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { backUp } from '../../src/backup/backup.ts'
import type { Progress } from '../../src/backup/progress.ts'
import { newUuid } from '../../src/ids.ts'
import { MIGRATIONS } from '../database/test-database.ts'
import { type BackupScene, installationOf, setBackupScene } from './backup-scene.ts'
import { backUpTo, bringBack, fillDatabase, putBlob, rowsOf, tablesOf } from './filled.ts'

let scene: BackupScene
beforeEach(async () => {
  scene = await setBackupScene()
})
afterEach(() => scene.stop())

test('a folder of attachments that is another installation’s is refused, both ways', async () => {
  const others = scene.elsewhere('others')
  const owner = newUuid()
  await others.belongsTo(owner)
  await expect(backUpTo({ ...scene.from(), blobs: others })).rejects.toThrow('of another installation')
  await backUpTo(scene.from())
  for (const sameAttachments of [false, true]) {
    await expect(bringBack({ ...scene.into(), blobs: others, sameAttachments })).rejects.toThrow('of another')
  }
  expect(await others.owner()).toBe(owner)
  expect(await tablesOf(scene.target.sql)).toEqual([])
})

test('the folder of the server that was backed up is not shared with its copy, unless that is said', async () => {
  await fillDatabase(scene.source.sql, scene.blobs)
  await backUpTo(scene.from())
  const files = await scene.filesIn('blobs')
  await expect(bringBack({ ...scene.into(), blobs: scene.blobs })).rejects.toThrow('--same-attachments')
  expect(await tablesOf(scene.target.sql)).toEqual([])
  expect(await scene.blobs.owner()).toBe(await installationOf(scene.source.sql))
  // Its database is lost, its folder is not.
  await bringBack({ ...scene.into(), blobs: scene.blobs, sameAttachments: true })
  expect(await scene.filesIn('blobs')).toEqual(files)
  expect(await scene.blobs.owner()).toBe(await installationOf(scene.target.sql))
})

test('a database whose rows name attachments, and a folder of nobody’s, is not backed up', async () => {
  await backUpTo({
    ...scene.from(),
    blobs: scene.elsewhere('none'),
    file: join(scene.folder, 'empty.tar.zst'),
  })
  await fillDatabase(scene.source.sql, scene.blobs)
  await expect(backUpTo({ ...scene.from(), blobs: scene.elsewhere('none') })).rejects.toThrow('DATA_DIR')
  expect(await readdir(scene.folder)).not.toContain('bellhop.tar.zst')
})

test('an attachment that is there and cannot be read ends the backup', async () => {
  await fillDatabase(scene.source.sql, scene.blobs)
  const [unreadable] = await scene.filesIn('blobs')
  if (unreadable === undefined) throw new Error('there are blobs')
  await scene.blobs.remove(unreadable)
  await mkdir(join(scene.folder, 'blobs', unreadable.slice(0, 2), unreadable))
  await expect(backUpTo(scene.from())).rejects.toMatchObject({
    message: expect.stringMatching(/^DATA_DIR: /),
    cause: { code: 'EISDIR' },
  })
})

test('a folder that goes in the middle of a backup ends it', async () => {
  await fillDatabase(scene.source.sql, scene.blobs)
  const progress: Progress = {
    begin: (what) =>
      what === 'attachments' && renameSync(join(scene.folder, 'blobs'), join(scene.folder, 'gone')),
    add: () => {},
  }
  const output = new PassThrough().resume()
  const { signal } = new AbortController()
  const backup = backUp({ ...scene.from(), output, migrations: MIGRATIONS, progress, signal })
  await expect(backup).rejects.toThrow('DATA_DIR')
})

test('an attachment that is missing or damaged is named, and all the rest is copied', async () => {
  await fillDatabase(scene.source.sql, scene.blobs)
  const [gone, damaged] = await scene.filesIn('blobs')
  if (gone === undefined || damaged === undefined) throw new Error('there are blobs')
  await scene.blobs.remove(gone)
  await writeFile(join(scene.folder, 'blobs', damaged.slice(0, 2), damaged), 'other bytes')
  const { manifest } = await backUpTo(scene.from())
  expect(manifest.blobs.missing).toEqual([gone, damaged].sort())
  const restored = await bringBack(scene.into())
  expect(restored.manifest.blobs.missing).toEqual(manifest.blobs.missing)
  expect(await rowsOf(scene.target.sql)).toEqual(await rowsOf(scene.source.sql))
  expect(await scene.filesIn('restored')).toHaveLength((await scene.filesIn('blobs')).length - 1)
})

test('a blob that no ticket names stays behind', async () => {
  await fillDatabase(scene.source.sql, scene.blobs)
  const rows = await rowsOf(scene.source.sql)
  const sha256 = await putBlob(scene.source.sql, scene.blobs, Buffer.from('nobody names me'))
  await backUpTo(scene.from())
  await bringBack(scene.into())
  expect(await rowsOf(scene.target.sql)).toEqual(rows)
  expect(await scene.filesIn('restored')).not.toContain(sha256.toString('hex'))
})
