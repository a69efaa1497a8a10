import { readdir, stat } from 'node:fs/promises'
import { dirname } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { migrate } from '../../src/database/migrations.ts'
import { openDatabase } from '../../src/database/pool.ts'
import { MIGRATIONS } from '../database/test-database.ts'
import { type BackupScene, installationOf, onDatabase, setBackupScene } from './backup-scene.ts'
import { backUpTo, bringBack, fillDatabase, rowsOf, tablesOf } from './filled.ts'

let scene: BackupScene
beforeEach(async () => {
  scene = await setBackupScene()
})
afterEach(() => scene.stop())

test('everything comes back: every table, every awkward text, every attachment, the installation', async () => {
  await fillDatabase(scene.source.sql, scene.blobs)
  const rows = await rowsOf(scene.source.sql)
  // A table that a later migration adds wants its rows in filled.ts.
  for (const table of await tablesOf(scene.source.sql)) expect(rows[table], table).not.toEqual([])
  const { manifest, bytes } = await backUpTo(scene.from())
  expect(manifest.tables.map(({ name }) => name).sort()).toEqual(await tablesOf(scene.source.sql))
  expect(manifest.blobs.missing).toEqual([])
  expect(await stat(scene.file)).toMatchObject({ size: bytes, mode: 0o100600 })
  expect((await readdir(scene.folder)).sort()).toEqual(['bellhop.tar.zst', 'blobs'])

  const restored = await bringBack(scene.into())
  expect(await rowsOf(scene.target.sql)).toEqual(rows)
  expect(await scene.filesIn('restored')).toEqual(await scene.filesIn('blobs'))
  expect(restored).toMatchObject({ manifest, uncertain: 0, undelivered: 3 })
  expect(await scene.elsewhere().owner()).toBe(await installationOf(scene.source.sql))
  expect(await migrate(scene.target.endpoint, MIGRATIONS)).toMatchObject({ applied: [] })
})

test('a database that a start of Bellhop has left empty is as good as a new one', async () => {
  await fillDatabase(scene.source.sql, scene.blobs)
  await backUpTo(scene.from())
  const started = await scene.source.createDatabase()
  await onDatabase(started, async (sql) => {
    expect(await installationOf(sql)).not.toBe(await installationOf(scene.source.sql))
    await scene.elsewhere().belongsTo(await installationOf(sql))
  })
  await bringBack(scene.into(started))
  expect(await scene.elsewhere().owner()).toBe(await installationOf(scene.source.sql))
  await onDatabase(started, async (sql) => expect(await rowsOf(sql)).toEqual(await rowsOf(scene.source.sql)))
})

test('a database with a ticket is refused, and keeps it', async () => {
  await fillDatabase(scene.source.sql, scene.blobs)
  await backUpTo(scene.from())
  const rows = await rowsOf(scene.source.sql)
  await expect(bringBack(scene.into(scene.source.endpoint))).rejects.toThrow('The database is not empty')
  expect(await rowsOf(scene.source.sql)).toEqual(rows)
  expect(await scene.elsewhere().owner()).toBeNull()
})

test('what else the schema holds is neither copied nor touched', async () => {
  await scene.source.sql`CREATE TABLE notes_of_the_operator (id serial, text text)`
  await scene.source.sql`INSERT INTO notes_of_the_operator (text) VALUES ('a'), ('b'), ('c')`
  await backUpTo(scene.from())
  const other = await scene.source.createDatabase()
  await bringBack({ ...scene.into(other), blobs: scene.elsewhere('other') })
  await scene.target.sql`CREATE TABLE notes_of_the_operator (id serial, text text)`
  await scene.target.sql`INSERT INTO notes_of_the_operator (text) VALUES ('mine')`
  await bringBack(scene.into())
  await scene.target.sql`INSERT INTO notes_of_the_operator (text) VALUES ('mine too')`
  expect(await scene.target.sql`SELECT * FROM notes_of_the_operator`).toEqual([
    { id: 1, text: 'mine' },
    { id: 2, text: 'mine too' },
  ])
  // Which of them the planner knows.
  const known = await scene.target.sql<{ name: string; known: boolean }[]>`
    SELECT relname AS name, reltuples >= 0 AS known FROM pg_class
    WHERE relname IN ('tickets', 'notes_of_the_operator') ORDER BY 1`
  expect(known).toEqual([
    { name: 'notes_of_the_operator', known: false },
    { name: 'tickets', known: true },
  ])
})

test('our tables have no sequence: an archive would not say where it was', async () => {
  expect(await scene.source.sql`SELECT sequencename FROM pg_sequences`).toEqual([])
})

test('what stands in the way in the target is named, and stays', async () => {
  await backUpTo(scene.from())
  await scene.target.sql`CREATE TABLE tickets (mine text)`
  await expect(bringBack(scene.into())).rejects.toThrow('of another program with a name that Bellhop needs')
  await expect(migrate(scene.target.endpoint, MIGRATIONS)).rejects.toThrow('of another program')
  expect(await tablesOf(scene.target.sql)).toEqual(['tickets'])
  const started = await scene.source.createDatabase()
  await onDatabase(started, async (sql) => {
    await sql`CREATE VIEW late AS SELECT * FROM deliveries`
    await expect(bringBack(scene.into(started))).rejects.toThrow('a view, or something else of its own')
    expect(await sql`SELECT * FROM late`).toEqual([])
  })
})

test('a server that runs on the database is found out, also where DATABASE_URL names its sessions', async () => {
  await backUpTo(scene.from())
  if (scene.target.endpoint.kind !== 'socket') throw new Error('it is reached by its socket')
  const { user, password, path, database } = scene.target.endpoint
  const named = `host=${encodeURIComponent(dirname(path))}&application_name=desk%201`
  const url = `postgresql://${user}:${encodeURIComponent(password)}@/${database}?${named}`
  const server = openDatabase({ kind: 'url', url }, { max: 1, applicationName: 'bellhop worker' })
  await server.sql`SELECT`
  await expect(bringBack(scene.into())).rejects.toThrow('in use by a running Bellhop')
  await server.close()
  await bringBack(scene.into())
})
