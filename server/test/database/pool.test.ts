import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { DatabaseDeadline, isDatabaseAway, openDatabase } from '../../src/database/pool.ts'
import { createTestDatabase, type TestDatabase } from './test-database.ts'

let db: TestDatabase
beforeAll(async () => {
  db = await createTestDatabase({ migrated: false })
})
afterAll(() => db.stop())

describe('what a session can count on', () => {
  test('times come back as dates, counts as numbers, bytes as bytes', async () => {
    const [row] = await db.sql`
      select '2026-01-02 03:04:05.678+02'::timestamptz as at, count(*) as count, ${Buffer.from([0, 255])}::bytea as bytes`
    expect(row).toEqual({ at: new Date('2026-01-02T01:04:05.678Z'), count: 1, bytes: Buffer.from([0, 255]) })
  })
})

describe('when every connection is in use', () => {
  test('the next waits for its turn, in order, and one whose time runs out first is never carried out', async () => {
    const database = openDatabase(db.endpoint, { max: 1, applicationName: 'vitest' })
    await database.sql`create table turns (at serial, who text)`
    const write = (who: string, ms: number) =>
      database.run(ms, (sql) => sql`insert into turns (who) values (${who})`)
    const slow = database.run(5000, (sql) => sql`select pg_sleep(0.3)`)
    const hasty = write('hasty', 50)
    const patient = [write('first', 5000), write('second', 5000)]
    expect(database.use().waiting).toBe(3)
    await expect(hasty).rejects.toBeInstanceOf(DatabaseDeadline)
    await slow
    await Promise.all(patient)
    expect((await database.sql`select who from turns order by at`).map(({ who }) => who)).toEqual([
      'first',
      'second',
    ])
    expect(database.use()).toMatchObject({ open: 1, busy: 0, max: 1, waiting: 0 })
    await database.close()
    await expect(database.sql`select 1`).rejects.toSatisfy(isDatabaseAway)
  })

  test('a transaction that fails gives its place back', async () => {
    const database = openDatabase(db.endpoint, { max: 1, applicationName: 'vitest' })
    const broken = database.run(1000, (sql) => sql.begin((transaction) => transaction`select 1/0`))
    await expect(broken).rejects.toMatchObject({ code: '22012' })
    const thrown = database.run(1000, () => {
      throw new TypeError('a mistake')
    })
    await expect(thrown).rejects.toThrow('a mistake')
    expect(await database.run(1000, (sql) => sql`select 1 as one`)).toEqual([{ one: 1 }])
    await database.close()
  })
})
