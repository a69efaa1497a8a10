import { copyFile, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import {
  checkSchema,
  migrate,
  migrateWithin,
  readMigrations,
  schemaVersion,
} from '../../src/database/migrations.ts'
import { openDatabase } from '../../src/database/pool.ts'
import { OperatorError } from '../../src/errors.ts'
import { queueTickets } from '../deliveries/waiting.ts'
import { until } from './embedded/processes.ts'
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

describe('a migration outside a transaction', () => {
  const indexes = () => db.sql<{ name: string; valid: boolean }[]>`
    select indexrelid::regclass::text as name, indisvalid as valid from pg_index
    where indexrelid::regclass::text like '%_by_%' order by 1`

  test('may take longer than a statement in one', async () => {
    await add('0001-desks.sql', 'create table desks (id int);')
    await add('0002-slow.sql', '-- Outside a transaction: slow\nselect pg_sleep(0.5);')
    await add('0003-names.sql', 'alter table desks add name text;')
    const { applied } = await migrate(db.endpoint, folder, { statementTimeout: 300 })
    expect(applied).toEqual(['0001-desks', '0002-slow', '0003-names'])
    await add('0004-slow.sql', 'select pg_sleep(0.5);')
    await expect(migrate(db.endpoint, folder, { statementTimeout: 300 })).rejects.toThrow('timeout')
  })

  const INDEX = `-- Outside a transaction, that nobody waits; for the test
    DROP INDEX CONCURRENTLY IF EXISTS desks_by_id;
    CREATE UNIQUE INDEX CONCURRENTLY desks_by_id ON desks (id);`

  test('that fails is not recorded, and begins again without what it left', async () => {
    await add('0001-desks.sql', 'create table desks (id int); insert into desks values (1), (1);')
    await add('0002-index.sql', INDEX)
    await expect(migrate(db.endpoint, folder)).rejects.toThrow('0002-index')
    expect(await schemaVersion(db.sql)).toBe(1)
    expect(await indexes()).toEqual([{ name: 'desks_by_id', valid: false }])
    await db.sql`truncate desks`
    expect((await migrate(db.endpoint, folder)).applied).toEqual(['0002-index'])
    expect(await indexes()).toEqual([{ name: 'desks_by_id', valid: true }])
  })

  test('is part of the transaction where all of a restore is one', async () => {
    await add('0001-desks.sql', 'create table desks (id int);')
    await add('0002-index.sql', INDEX)
    const migrations = await readMigrations(folder)
    await db.sql.begin((transaction) => migrateWithin(transaction, migrations, 2))
    expect(await indexes()).toEqual([{ name: 'desks_by_id', valid: true }])
    expect(await schemaVersion(db.sql)).toBe(2)
  })
})

test('tickets are accepted while the indexes of the deliveries are made', async () => {
  const files = (await readdir(MIGRATIONS)).sort()
  for (const file of files.slice(0, 2)) await copyFile(join(MIGRATIONS, file), join(folder, file))
  await migrate(db.endpoint, folder)
  const written = Promise.withResolvers<void>()
  const commit = Promise.withResolvers<void>()
  const slow = db.sql.begin(async (transaction) => {
    await transaction`update deliveries set attempts = attempts`
    written.resolve()
    await commit.promise
  })
  await written.promise
  const migrated = migrate(db.endpoint, MIGRATIONS)
  const waits = () => db.sql`select from pg_stat_activity where datname = current_database()
    and application_name = 'bellhop migrate' and wait_event_type = 'Lock'`
  await until(async () => (await waits()).length > 0)
  // In a transaction the index would wait with a lock that nobody who writes gets past.
  expect(await queueTickets(db.sql, 'acme', 1)).toHaveLength(1)
  commit.resolve()
  await slow
  expect((await migrated).applied).toEqual(files.slice(2).map((file) => file.replace('.sql', '')))
  expect(await db.sql`select from pg_index where not indisvalid`).toHaveLength(0)
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

describe('while another session holds a table that changes', () => {
  /** @returns what lets go of it */
  async function holdDesks(): Promise<() => Promise<void>> {
    await add('0001-desks.sql', 'create table desks (id int);')
    await migrate(db.endpoint, folder)
    await add('0002-names.sql', 'alter table desks add name text;')
    // The driver reserves only a connection that is open already.
    await db.sql`select`
    const session = await db.sql.reserve()
    await session`begin`
    await session`select from desks`
    return async () => {
      await session`commit`
      session.release()
    }
  }

  test('a migration tries again until it is let go', async () => {
    const letGo = await holdDesks()
    const migrating = migrate(db.endpoint, folder)
    const tried = async () => (await waitingMigrations()) === 1
    const over = async () => (await waitingMigrations()) === 0
    await until(tried)
    await until(over)
    await letGo()
    expect(await migrating).toEqual({ applied: ['0002-names'], version: 2 })
  })

  test('and says in the end what it waits for', async () => {
    const letGo = await holdDesks()
    const refused = migrate(db.endpoint, folder, { tablePatience: 0 })
    await expect(refused).rejects.toBeInstanceOf(OperatorError)
    await expect(refused).rejects.toThrow('Another session holds a table')
    await letGo()
  })

  test('and never ends who serves, where each waits for the other', async () => {
    await add('0001-desks.sql', 'create table desks (id int); create table agents (id int);')
    await migrate(db.endpoint, folder)
    await add('0002-names.sql', 'alter table agents add name text; alter table desks add name text;')
    await db.sql`select`
    const session = await db.sql.reserve()
    await session`begin`
    await session`insert into desks values (1)`
    const migrating = migrate(db.endpoint, folder)
    await until(async () => (await waitingMigrations()) === 1)
    // The migration has the one table and waits for the other, and so does this session, the other way round.
    await session`insert into agents values (1)`
    await session`commit`
    session.release()
    expect(await migrating).toEqual({ applied: ['0002-names'], version: 2 })
    expect(await db.sql`select desks.id, agents.name from desks, agents`).toEqual([{ id: 1, name: null }])
  })

  async function waitingMigrations(): Promise<number> {
    const [row] = await db.sql<{ count: number }[]>`
      select count(*)::int as count from pg_locks l join pg_class c on c.oid = l.relation
      where c.relname = 'desks' and not l.granted
        and l.database = (select oid from pg_database where datname = current_database())`
    return row?.count ?? 0
  }
})
