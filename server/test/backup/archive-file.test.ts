import { lstat, mkdir, readdir, rm, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { Writable } from 'node:stream'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { backUp } from '../../src/backup/backup.ts'
import { noProgress } from '../../src/backup/progress.ts'
import { writeBackup } from '../../src/backup/write-backup.ts'
import { until } from '../database/embedded/processes.ts'
import { MIGRATIONS } from '../database/test-database.ts'
import { type BackupScene, setBackupScene } from './backup-scene.ts'
import { backUpTo, bringBack, fillDatabase } from './filled.ts'

let scene: BackupScene
beforeEach(async () => {
  scene = await setBackupScene()
})
afterEach(() => scene.stop())

test('a file that is there is not replaced', async () => {
  await writeFile(scene.file, 'something dear')
  await expect(backUpTo(scene.from())).rejects.toThrow('it is there already')
  expect((await readdir(scene.folder)).sort()).toEqual(['bellhop.tar.zst'])
  await expect(backUpTo({ ...scene.from(), file: scene.folder })).rejects.toThrow('expected a file')
  await expect(backUpTo({ ...scene.from(), file: join(scene.folder, 'nowhere', 'a') })).rejects.toThrow(
    'is not there',
  )
  await expect(backUpTo({ ...scene.from(), file: join(scene.file, 'a') })).rejects.toThrow('is not there')
  await expect(backUpTo({ ...scene.from(), file: join(scene.folder, 'a'.repeat(256)) })).rejects.toThrow(
    'FILE: its name',
  )
})

test('a link is written through, and stays', async () => {
  await mkdir(join(scene.folder, 'disk'))
  const real = join(scene.folder, 'disk', 'real.tar.zst')
  await writeFile(real, 'an older one')
  await symlink(real, scene.file)
  await expect(backUpTo(scene.from())).rejects.toThrow('it is there already')
  await writeBackup({
    ...scene.from(),
    migrations: MIGRATIONS,
    signal: new AbortController().signal,
    force: true,
  })
  expect((await lstat(scene.file)).isSymbolicLink()).toBe(true)
  expect(await readdir(join(scene.folder, 'disk'))).toEqual(['real.tar.zst'])
  await bringBack({ ...scene.into(), file: real })
  await rm(real)
  await expect(backUpTo(scene.from())).rejects.toThrow('FILE: a link that leads nowhere')
})

test('an output that fails in the middle of a table ends the backup with its error', async () => {
  await fillDatabase(scene.source.sql, scene.blobs)
  await scene.source.sql`INSERT INTO tickets (brand_id, id, issuer, person_id, requester_email, subject)
    SELECT 'acme', gen_random_uuid(), 'issuer', 'per_ada', 'ada@example.com', repeat(md5(n::text), 1000)
    FROM generate_series(1, 3000) n`
  let written = 0
  const output = new Writable({
    write(chunk: Buffer, _encoding, done) {
      written += chunk.length
      done(written > 20_000 ? Object.assign(new Error('no space'), { code: 'ENOSPC' }) : null)
    },
  })
  const { signal } = new AbortController()
  const backup = backUp({ ...scene.from(), output, migrations: MIGRATIONS, progress: noProgress, signal })
  await expect(backup).rejects.toMatchObject({ code: 'ENOSPC' })
  // Its session ends; the server takes a moment to notice.
  await until(async () => {
    const sessions = await scene.source.sql`SELECT FROM pg_stat_activity
      WHERE datname = current_database() AND application_name = 'bellhop backup'`
    return sessions.length === 0
  })
})
