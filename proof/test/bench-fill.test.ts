import { afterAll, beforeAll, expect, test } from 'vitest'
import type { Sql } from '../../server/src/database/pool.ts'
import { createTestDatabase, type TestDatabase } from '../../server/test/database/test-database.ts'
import { BODY, dropBacklog, makeBacklog } from '../bench/backlog.ts'
import { fill } from '../bench/fill.ts'
import type { SocketEndpoint } from '../bench/postgres.ts'

const COUNT = 3000

let database: TestDatabase
let sql: Sql
let before: unknown
beforeAll(async () => {
  database = await createTestDatabase()
  sql = database.sql
  before = await schemaOf(sql)
  await fill(database.endpoint as SocketEndpoint, COUNT, () => {})
})
afterAll(() => database.stop())

test('the schema is as it was before: every constraint checked, every index there', async () => {
  expect(await schemaOf(sql)).toEqual(before)
  const names = Object.keys(Object(before))
  expect(names).not.toHaveLength(0)
  await expect(sql`DELETE FROM attempts`).rejects.toThrow('only ever added')
})

test('each ticket has all that belongs to one', async () => {
  const [counts] = await sql`
    SELECT count(*)::int AS tickets,
      count(*) FILTER (WHERE EXISTS (SELECT FROM messages m JOIN deliveries d ON d.brand_id = m.brand_id AND d.message_id = m.id
        JOIN attempts a ON a.brand_id = d.brand_id AND a.delivery_id = d.id
        JOIN attempt_answers w ON w.brand_id = d.brand_id AND w.delivery_id = d.id
        WHERE m.brand_id = t.brand_id AND m.ticket_id = t.id))::int AS whole,
      count(*) FILTER (WHERE EXISTS (SELECT FROM audit_entries e WHERE e.brand_id = t.brand_id AND e.ticket_id = t.id))::int AS audited,
      count(DISTINCT brand_id)::int AS brands
    FROM tickets t`
  expect(counts).toEqual({ tickets: COUNT, whole: COUNT, audited: COUNT, brands: 8 })
  const states = await sql<{ state: string; count: number }[]>`
    SELECT state, count(*)::int AS count FROM deliveries GROUP BY state ORDER BY state`
  expect(Object.fromEntries(states.map((row) => [row.state, row.count]))).toEqual({
    // The newest wait; every 30th of the others has failed.
    dead: 48,
    delivered: COUNT - 196,
    pending: 100,
    rejected: 48,
  })
})

test('the year is in the ids, as in those that Bellhop makes', async () => {
  const [row] = await sql`
    SELECT bool_and(uuid_extract_version(id) = 7) AS seven,
      bool_and(abs(extract(epoch FROM uuid_extract_timestamp(id) - created_at)) < 60) AS timely,
      extract(day FROM max(created_at) - min(created_at))::int AS days, avg(length(subject))::int AS subject
    FROM tickets`
  expect(row).toMatchObject({ seven: true, timely: true, days: 364 })
  const [body] = await sql`SELECT avg(length(body))::int AS length FROM messages`
  expect(body?.length).toBeGreaterThan(450)
  expect(body?.length).toBeLessThan(550)
})

test('a backlog is due before all else, and what is left of it is carried by nobody', async () => {
  await makeBacklog(sql, ['acme', 'globex'], 20)
  const due = () => sql`SELECT brand_id FROM deliveries WHERE state = 'pending' AND due_at <= now()`
  expect((await due()).map((row) => row.brand_id).sort()).toEqual([
    ...Array(10).fill('acme'),
    ...Array(10).fill('globex'),
  ])
  expect(await sql`SELECT FROM messages WHERE body = ${BODY}`).toHaveLength(20)
  await dropBacklog(sql)
  expect(await due()).toHaveLength(0)
})

async function schemaOf(sql: Sql): Promise<Record<string, string>> {
  const rows = await sql<{ name: string; definition: string }[]>`
    SELECT conrelid::regclass || ' ' || conname AS name, convalidated || ' ' || pg_get_constraintdef(oid) AS definition
    FROM pg_constraint WHERE connamespace = 'public'::regnamespace
    UNION ALL SELECT indexname, indexdef FROM pg_indexes WHERE schemaname = 'public'
    ORDER BY 1`
  return Object.fromEntries(rows.map((row) => [row.name, row.definition]))
}
