import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { checkSchema, migrate, schemaVersion } from '../../src/database/migrations.ts'
import { openDatabase } from '../../src/database/pool.ts'
import { OperatorError } from '../../src/errors.ts'
import { createTestDatabase, MIGRATIONS, type TestDatabase } from './test-database.ts'

let db: TestDatabase
let folder: string
beforeEach(async () => {
  db = await createTestDatabase({ migrated: false })
  folder = await mkdtemp(join(tmpdir(), 'bellhop-migrations-'))
})
afterEach(async () => {
  await db.stop()
  await rm(folder, { recursive: true })
})

const add = (file: string, sql: string) => writeFile(join(folder, file), sql)

test('an empty database is brought up in order, and again changes nothing', async () => {
  await add('0001-desks.sql', 'create table desks (id int); insert into desks values (1);')
  await add('0002-names.sql', 'alter table desks add name text;')
  expect(await schemaVersion(db.sql)).toBe(0)
  expect(await migrate(db.endpoint, folder)).toEqual({ applied: ['0001-desks', '0002-names'], version: 2 })
  expect(await migrate(db.endpoint, folder)).toEqual({ applied: [], version: 2 })
  expect(await db.sql`select * from desks`).toEqual([{ id: 1, name: null }])
  expect(await checkSchema(db.sql, folder)).toBe(2)
})

test('an upgrade applies what is new and leaves the rows alone', async () => {
  await add('0001-desks.sql', 'create table desks (id int); insert into desks values (1);')
  await migrate(db.endpoint, folder)
  await add('0002-names.sql', 'alter table desks add name text;')
  await expect(checkSchema(db.sql, folder)).rejects.toThrow('version 1 and this program needs 2')
  expect(await migrate(db.endpoint, folder)).toEqual({ applied: ['0002-names'], version: 2 })
  expect(await db.sql`select count(*) from desks`).toEqual([{ count: 1 }])
})

test('of five processes that start at once, one migrates and the others wait for it', async () => {
  await add('0001-slow.sql', 'create table desks (id int); select pg_sleep(0.3);')
  await add('0002-more.sql', 'create table more (id int);')
  const all = await Promise.all(Array.from({ length: 5 }, () => migrate(db.endpoint, folder)))
  expect(all.flatMap(({ applied }) => applied).sort()).toEqual(['0001-slow', '0002-more'])
  expect(all.every(({ version }) => version === 2)).toBe(true)
})

test('a process that waits for another gives up within its patience and says why', async () => {
  await add('0001-slow.sql', 'create table desks (id int); select pg_sleep(1);')
  const first = migrate(db.endpoint, folder)
  const taken = () => db.sql`select from pg_locks where locktype = 'advisory' and granted and database =
    (select oid from pg_database where datname = current_database())`
  while ((await taken()).length === 0);
  await expect(migrate(db.endpoint, folder, { patience: 100 })).rejects.toThrow(
    'Another process is migrating',
  )
  expect((await first).version).toBe(1)
})

test('a migration that fails leaves nothing of itself and everything before it', async () => {
  await add('0001-desks.sql', 'create table desks (id int);')
  await add('0002-broken.sql', 'create table half (id int); select 1/0;')
  await expect(migrate(db.endpoint, folder)).rejects.toThrow('0002-broken')
  expect(await schemaVersion(db.sql)).toBe(1)
  expect(await db.sql`select to_regclass('half') as half`).toEqual([{ half: null }])
})

test('a database that a newer Bellhop has migrated is refused, with both versions', async () => {
  await add('0001-desks.sql', 'create table desks (id int);')
  await migrate(db.endpoint, folder)
  await db.sql`insert into schema_migrations (version, name) values (7, '0007-from-tomorrow')`
  const refused = migrate(db.endpoint, folder)
  await expect(refused).rejects.toBeInstanceOf(OperatorError)
  await expect(refused).rejects.toThrow('version 7 and this program knows versions up to 1')
  await expect(checkSchema(db.sql, folder)).rejects.toThrow('version 7')
})

test.each([
  [['0001-a.sql', '0003-c.sql'], 'expected number 0002'],
  [['0001-a.sql', '0001-b.sql'], 'expected number 0002'],
  [['1-a.sql'], 'expected a name like 0001-name.sql'],
])('%j is a mistake in the program', async (files, message) => {
  for (const file of files) await add(file, 'select 1')
  await expect(migrate(db.endpoint, folder)).rejects.toThrow(message)
})

test('a role that may not create tables is told what it lacks', async () => {
  const endpoint = await db.createDatabase()
  if (endpoint.kind !== 'socket') throw new Error('Expected a socket')
  const admin = openDatabase(endpoint, { max: 1, applicationName: 'vitest' })
  const role = `guest_${endpoint.database}`
  await admin.sql`create role ${admin.sql(role)} login password 'guest'`
  await admin.close()
  await add('0001-desks.sql', 'create table desks (id int);')
  const refused = migrate({ ...endpoint, user: role, password: 'guest' }, folder)
  await expect(refused).rejects.toBeInstanceOf(OperatorError)
  await expect(refused).rejects.toThrow('grant it CREATE')
  await db.sql`drop role ${db.sql(role)}`
})

test('the migrations that ship run from empty, and again', async () => {
  const { version, applied } = await migrate(db.endpoint, MIGRATIONS)
  expect(applied).toHaveLength(version)
  expect(await migrate(db.endpoint, MIGRATIONS)).toEqual({ applied: [], version })
})
