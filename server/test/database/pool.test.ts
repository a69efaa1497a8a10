import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { createTestDatabase, type TestDatabase } from './test-database.ts'

let db: TestDatabase
beforeAll(async () => {
  db = await createTestDatabase({ migrated: false })
})
afterAll(() => db.stop())

describe('what a session can count on', () => {
  test('times come back as dates, counts as numbers, lists as lists', async () => {
    const texts = ['plain', 'with "quotes"', 'a,b', '{}', 'back\\slash', 'two\nlines', '', 'NULL', 'größe']
    const ids = ['0199b2a0-0000-7000-8000-000000000001', '0199b2a0-0000-7000-8000-000000000002']
    const [row] = await db.sql`
      select '2026-01-02 03:04:05.678+02'::timestamptz as at, count(*) as count, ${texts}::text[] as texts,
             ${ids}::uuid[] as ids, '{}'::text[] as none, ${Buffer.from([0, 255])}::bytea as bytes`
    expect(row).toEqual({
      at: new Date('2026-01-02T01:04:05.678Z'),
      count: 1,
      texts,
      ids,
      none: [],
      bytes: Buffer.from([0, 255]),
    })
  })
})
