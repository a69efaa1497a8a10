import { cp, readdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { migrate, readMigrations } from '../../src/database/migrations.ts'
import { MIGRATIONS } from '../database/test-database.ts'
import { type BackupScene, installationOf, onDatabase, setBackupScene } from './backup-scene.ts'
import { AWKWARD, backUpTo, bringBack, fillDatabase, fillInBulk, tablesOf } from './filled.ts'

let scene: BackupScene
beforeEach(async () => {
  scene = await setBackupScene()
})
afterEach(() => scene.stop())

let newer: string
beforeEach(async () => {
  newer = join(scene.folder, 'newer')
  await cp(MIGRATIONS, newer, { recursive: true })
  const next = String((await readMigrations(MIGRATIONS)).length + 1).padStart(4, '0')
  await writeFile(
    join(newer, `${next}-shouted.sql`),
    `ALTER TABLE tickets ADD shouted text;
UPDATE tickets SET shouted = upper(subject);
CREATE TABLE counters (number int, name text);
CREATE FUNCTION nothing() RETURNS int LANGUAGE sql AS 'SELECT 1';`,
  )
})

test('an archive of an older version is restored as it was and brought up to date', async () => {
  await fillDatabase(scene.source.sql, scene.blobs)
  await backUpTo(scene.from())
  // The newer program has been started on it once.
  await migrate(scene.target.endpoint, newer)
  await bringBack({ ...scene.into(), migrations: newer })
  const tickets = await scene.target.sql<
    { right: boolean }[]
  >`SELECT shouted = upper(subject) AS right FROM tickets`
  expect(tickets.map(({ right }) => right)).toEqual(AWKWARD.map(() => true))
  expect(await migrate(scene.target.endpoint, newer)).toMatchObject({ applied: [] })
})

test('an archive of 0.1.0, which knew of no conversation, is restored into this version', async () => {
  const first = join(scene.folder, 'first')
  await cp(MIGRATIONS, first, { recursive: true, filter: (path) => !/\/000[4-9]-/.test(path) })
  const old = await scene.target.createDatabase()
  await migrate(old, first)
  await onDatabase(old, async (sql) => {
    await scene.blobs.belongsTo(await installationOf(sql))
    await fillInBulk(sql, scene.blobs, 20, 2)
  })
  await backUpTo({ ...scene.from(), endpoint: old, migrations: first })
  await bringBack(scene.into())
  const [row] = await scene.target.sql`
    SELECT count(*)::int AS tickets, bool_and(t.via = 'api' AND NOT t.address_proven AND t.solved_at IS NULL) AS api,
      bool_and(d.side = 'desk' AND d.kind = 'message') AS desk, bool_and(e.xid IS NULL) AS before
    FROM tickets t JOIN messages m ON m.ticket_id = t.id JOIN deliveries d ON d.message_id = m.id
    JOIN audit_entries e ON e.ticket_id = t.id`
  expect(row).toEqual({ tickets: 20, api: true, desk: true, before: true })
  expect(await migrate(scene.target.endpoint, MIGRATIONS)).toMatchObject({ applied: [] })
})

test('an archive, and a database, of a newer version is refused with both versions', async () => {
  await migrate(scene.source.endpoint, newer)
  const known = (await readMigrations(MIGRATIONS)).length
  const sentence = `version ${known + 1} and this program knows versions up to ${known}`
  await expect(backUpTo(scene.from())).rejects.toThrow(sentence)
  await backUpTo({ ...scene.from(), migrations: newer })
  await expect(bringBack(scene.into())).rejects.toThrow(sentence)
  expect(await tablesOf(scene.target.sql)).toEqual([])
})

test('a database without tables has nothing to back up', async () => {
  await expect(backUpTo({ ...scene.from(), endpoint: scene.target.endpoint })).rejects.toThrow(
    'nothing to back up',
  )
  expect(await readdir(scene.folder)).not.toContain('bellhop.tar.zst')
})
