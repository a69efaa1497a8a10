import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { startBellhop, type TestBellhop } from '../bellhop.ts'
import { type CountedDatabase, countStatements } from './counted-database.ts'

let bellhop: TestBellhop
let counted: CountedDatabase
let desk: TestBellhop
beforeAll(async () => {
  bellhop = await startBellhop()
  counted = await countStatements(bellhop.endpoint)
  desk = await startBellhop({
    beside: { ...bellhop, endpoint: counted.endpoint },
    roles: { api: true, worker: false },
  })
  // Connections and prepared statements are made once.
  expect((await desk.file()).status).toBe(201)
})
afterAll(async () => {
  await desk.stop()
  await counted.stop()
  await bellhop.stop()
})

const keeps = expect.stringContaining('INSERT INTO tickets')
const file = { filename: 'a', content_base64: 'YQ==' }

describe('what a ticket costs the database', () => {
  test.each([
    ['without a key', {}, {}],
    ['with a key', {}, { 'idempotency-key': 'one' }],
    ['with a file', { attachment: file }, {}],
    ['with a file and a key', { attachment: file }, { 'idempotency-key': 'two' }],
  ])('one statement: %s', async (_what, change, headers) => {
    counted.taken()
    expect((await desk.file(change, headers)).status).toBe(201)
    expect(counted.taken()).toEqual([keeps])
  })

  test('and a replay one more, which reads where the ticket stands', async () => {
    await desk.file({}, { 'idempotency-key': 'three' })
    counted.taken()
    const again = await desk.file({}, { 'idempotency-key': 'three' })
    expect(again.headers.get('idempotency-replayed')).toBe('true')
    expect(counted.taken()).toEqual([keeps, expect.stringContaining('FROM messages')])
  })

  test('a mismatch none more, and a refusal before it none', async () => {
    await desk.file({}, { 'idempotency-key': 'four' })
    counted.taken()
    expect((await desk.file({ subject: 'Another' }, { 'idempotency-key': 'four' })).status).toBe(422)
    expect(counted.taken()).toEqual([keeps])
    expect((await desk.file({ subject: '' })).status).toBe(400)
    expect((await desk.file({ person_id: 'per_eve' })).status).toBe(403)
    expect((await desk.file({}, { authorization: 'Bearer x' })).status).toBe(401)
    expect(counted.taken()).toEqual([])
  })

  test('tickets that come together share statements, and each is kept', async () => {
    counted.taken()
    const subject = 'Together'
    const answers = await Promise.all(Array.from({ length: 40 }, () => desk.file({ subject })))
    expect(answers.map(({ status }) => status)).toEqual(answers.map(() => 201))
    expect(counted.taken().length).toBeLessThan(40)
    expect(await bellhop.sql`SELECT FROM tickets WHERE subject = ${subject}`).toHaveLength(40)
  })

  test('one ticket that the database refuses does not take those beside it along', async () => {
    await bellhop.sql`ALTER TABLE tickets ADD CONSTRAINT trap CHECK (subject <> 'trapped')`
    const subjects = Array.from({ length: 40 }, (_, index) => (index % 8 === 0 ? 'trapped' : 'beside it'))
    const answers = await Promise.all(subjects.map((subject) => desk.file({ subject })))
    await bellhop.sql`ALTER TABLE tickets DROP CONSTRAINT trap`
    expect(answers.map(({ status }) => status)).toEqual(subjects.map((s) => (s === 'trapped' ? 500 : 201)))
    expect(await bellhop.sql`SELECT FROM tickets WHERE subject = 'beside it'`).toHaveLength(35)
  })
})

describe('what only ever grows', () => {
  test.each(['attempts', 'audit_entries'])('%s: no row is changed or taken away', async (table) => {
    await bellhop.file()
    await bellhop.sql`
      INSERT INTO attempts (brand_id, delivery_id, number, outcome, code, locked_by)
      SELECT brand_id, id, 1, 'delivered', 'ok', 'test' FROM deliveries LIMIT 1 ON CONFLICT DO NOTHING`
    const name = bellhop.sql(table)
    const count = async () => (await bellhop.sql`SELECT FROM ${name}`).length
    const before = await count()
    expect(before).toBeGreaterThan(0)
    await expect(bellhop.sql`UPDATE ${name} SET brand_id = 'x'`).rejects.toThrow('only ever added')
    await expect(bellhop.sql`DELETE FROM ${name}`).rejects.toThrow('only ever added')
    await expect(bellhop.sql`TRUNCATE ${name} CASCADE`).rejects.toThrow('only ever added')
    expect(await count()).toBe(before)
    const [owner] = await bellhop.sql<{ isOwner: boolean }[]>`
      SELECT tableowner = current_user AS "isOwner" FROM pg_tables WHERE tablename = ${table}`
    expect(owner?.isOwner).toBe(true)
  })
})
