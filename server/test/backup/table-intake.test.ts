import { afterAll, beforeAll, expect, test } from 'vitest'
import { TableIntake } from '../../src/backup/table-intake.ts'
import { createTestDatabase, type TestDatabase } from '../database/test-database.ts'

let db: TestDatabase
beforeAll(async () => {
  db = await createTestDatabase({ migrated: false })
  await db.sql`CREATE TABLE desks (id int PRIMARY KEY)`
  await db.sql`CREATE TABLE names (desk int REFERENCES desks, name text)`
})
afterAll(() => db.stop())

const desks = { name: 'desks', columns: ['id'], blob_column: null }
const names = { name: 'names', columns: ['desk', 'name'], blob_column: null }

test('one table after the other, in parts; then nothing is under way on the session', async () => {
  await db.sql.begin(async (transaction) => {
    const intake = new TableIntake(transaction)
    await intake.add(desks, Buffer.from('1\n2\n'))
    await intake.add(desks, Buffer.from('3\n'))
    for (let round = 0; round < 50; round++) {
      await intake.add(names, Buffer.from('3\tglobex\n'))
      await intake.end()
      // A session that looks as if it waited for an answer is taken for a lost one and dropped (dialer.ts).
      expect(db.database.use().busy).toBe(0)
    }
    await intake.end()
    expect(await transaction`SELECT count(*) FROM desks`).toEqual([{ count: 3 }])
    expect(await transaction`SELECT DISTINCT name FROM names`).toEqual([{ name: 'globex' }])
  })
  await db.sql`TRUNCATE desks, names`
})

test.each([
  ['in the middle', 'x\n'],
  ['at the end', '1\n1\n'],
])('rows that are refused %s are an error, and nothing is kept', async (_, rows) => {
  const filled = db.sql.begin(async (transaction) => {
    const intake = new TableIntake(transaction)
    await intake.add(desks, Buffer.from(rows))
    await intake.end()
  })
  await expect(filled).rejects.toThrow('does not take the rows of desks')
  expect(await db.sql`SELECT FROM desks`).toHaveLength(0)
})

test('one that is broken off leaves the session free for the ROLLBACK', async () => {
  const filled = db.sql.begin(async (transaction) => {
    const intake = new TableIntake(transaction)
    await intake.add(desks, Buffer.from('1\n'))
    intake.abort()
    throw new Error('the archive ends here')
  })
  await expect(filled).rejects.toThrow('the archive ends here')
  expect(await db.sql`SELECT FROM desks`).toHaveLength(0)
})
