import { randomBytes } from 'node:crypto'
import { setTimeout as pause } from 'node:timers/promises'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type Database, DatabaseDeadline, openDatabase } from '../../src/database/pool.ts'
import { newUuid } from '../../src/ids.ts'
import { Intake } from '../../src/tickets/intake.ts'
import { isKeyHeld, type NewTicketRow } from '../../src/tickets/new-ticket.store.ts'
import { createTestDatabase, type TestDatabase } from '../database/test-database.ts'

let own: TestDatabase
let database: Database
beforeAll(async () => {
  own = await createTestDatabase()
  database = openDatabase(own.endpoint, { max: 8, applicationName: 'intake', lockTimeout: 4500 })
})
afterAll(async () => {
  await database.close()
  await own.stop()
})

function aRow(overrides: Partial<NewTicketRow> = {}): NewTicketRow {
  return {
    brandId: 'acme',
    ticketId: newUuid(),
    messageId: newUuid(),
    issuer: 'https://login.acme.example',
    personId: 'per_ada',
    requesterEmail: 'ada@example.com',
    requesterName: null,
    addressProven: false,
    subject: 'A subject',
    body: 'A body',
    actor: 'person',
    actorId: null,
    auditId: newUuid(),
    delivery: {
      deliveryId: newUuid(),
      connector: 'inbox',
      mailMessageId: null,
      state: 'delivered',
      lockedBy: null,
      lease: 0,
    },
    acknowledgement: null,
    attachments: [],
    key: null,
    ...overrides,
  }
}
const aKey = () => ({ digest: randomBytes(32), requestHash: randomBytes(32) })

/** Another process's statement with this key, not committed until it is told to. */
async function holdKey(digest: Buffer): Promise<() => Promise<void>> {
  const held = Promise.withResolvers<void>()
  const letGo = Promise.withResolvers<void>()
  const done = own.sql.begin(async (sql) => {
    const { ticketId, messageId } = aRow()
    await sql`INSERT INTO tickets (brand_id, id, issuer, person_id, requester_email, subject)
      VALUES ('acme', ${ticketId}, 'i', 'p', 'e@x', 's')`
    await sql`INSERT INTO messages (brand_id, id, ticket_id, author, body)
      VALUES ('acme', ${messageId}, ${ticketId}, 'customer', 'b')`
    await sql`INSERT INTO idempotency_keys (brand_id, digest, request_hash, message_id, expires_at)
      VALUES ('acme', ${digest}, ${randomBytes(32)}, ${messageId}, now() + interval '1 day')`
    held.resolve()
    await letGo.promise
  })
  await held.promise
  return async () => {
    letGo.resolve()
    await done
  }
}

test('a hundred tickets at once take few statements, and each is kept', async () => {
  let statements = 0
  const intake = new Intake({
    run: (ms, work) => {
      statements++
      return database.run(ms, work)
    },
  })
  const rows = Array.from({ length: 100 }, (_, index) => aRow({ key: index % 2 === 0 ? aKey() : null }))
  const kept = await Promise.all(rows.map((row) => intake.keep(row)))
  expect(kept.every(({ kind }) => kind === 'created')).toBe(true)
  expect(statements).toBeLessThan(12)
  const ids = rows.map((row) => row.ticketId)
  const [found] = await own.sql<{ count: number }[]>`
    SELECT count(*)::int AS count FROM tickets t JOIN messages m ON m.ticket_id = t.id
    JOIN deliveries d ON d.message_id = m.id JOIN audit_entries a ON a.ticket_id = t.id WHERE t.id IN ${own.sql(ids)}`
  expect(found?.count).toBe(100)
})

test('who comes with a ticket that waits for its key does not wait long with it', async () => {
  const intake = new Intake(database)
  const key = aKey()
  const letGo = await holdKey(key.digest)
  try {
    const started = performance.now()
    const group = [aRow(), aRow({ key }), aRow({ key: aKey() }), aRow(), aRow()]
    // The first four take the lanes alone, so the last of these come as one group.
    const alone = Array.from({ length: 4 }, () => intake.keep(aRow()))
    const [held, ...others] = [group[1], group[0], group[2], group[3], group[4]].map((row) =>
      intake.keep(row ?? aRow()),
    )
    const refused = held?.then(
      () => null,
      (error: unknown) => ({ error, after: performance.now() - started }),
    )
    await Promise.all([...alone, ...others])
    expect(performance.now() - started).toBeLessThan(1500)
    const refusal = await refused
    expect(isKeyHeld(refusal?.error)).toBe(true)
    expect(refusal?.after).toBeGreaterThan(1800)
    expect(refusal?.after).toBeLessThan(3000)
  } finally {
    await letGo()
  }
})

test('a ticket waits longer for a table than for its key', async () => {
  const intake = new Intake(database)
  const locked = Promise.withResolvers<void>()
  const holding = own.sql.begin(async (sql) => {
    await sql`LOCK TABLE tickets IN EXCLUSIVE MODE`
    locked.resolve()
    await sql`SELECT pg_sleep(2.5)`
  })
  await locked.promise
  const started = performance.now()
  const kept = await intake.keep(aRow({ key: aKey() }))
  expect(kept.kind).toBe('created')
  expect(performance.now() - started).toBeGreaterThan(2000)
  await holding
})

test('a ticket that the database refuses does not take the others with it', async () => {
  const intake = new Intake(database)
  const twice = newUuid()
  await intake.keep(aRow({ ticketId: twice }))
  const alone = Array.from({ length: 4 }, () => intake.keep(aRow()))
  const good = intake.keep(aRow())
  const bad = intake.keep(aRow({ ticketId: twice }))
  await expect(bad).rejects.toMatchObject({ code: '23505' })
  expect((await good).kind).toBe('created')
  await Promise.all(alone)
})

test('while the database hangs, everybody is told in time', { timeout: 20_000 }, async () => {
  const hung: PromiseWithResolvers<never>[] = []
  const intake = new Intake({
    run: (ms) => {
      const { promise, resolve, reject } = Promise.withResolvers<never>()
      hung.push({ promise, resolve, reject })
      setTimeout(() => reject(new DatabaseDeadline('late')), ms)
      return promise
    },
  })
  const started = performance.now()
  const outcomes = await Promise.allSettled(Array.from({ length: 500 }, () => intake.keep(aRow())))
  expect(outcomes.every((outcome) => outcome.status === 'rejected')).toBe(true)
  expect(performance.now() - started).toBeLessThan(6000)
})

test('who has waited for something else already waits so much less, wherever they stand', async () => {
  const intake = new Intake({
    run: async (ms) => {
      await pause(ms)
      throw new DatabaseDeadline('late')
    },
  })
  const told: string[] = []
  const keep = (name: string, ms: number) =>
    intake.keep(aRow(), performance.now() + ms).catch(() => told.push(name))
  // Four lanes are taken; the last two stand in one line behind them.
  const lanes = Array.from({ length: 4 }, () => keep('lane', 300))
  await Promise.all([...lanes, keep('patient', 2000), keep('hurried', 100)])
  expect(told.indexOf('hurried')).toBeLessThan(told.indexOf('patient'))
  expect(told.slice(0, 5)).toContain('hurried')
})
