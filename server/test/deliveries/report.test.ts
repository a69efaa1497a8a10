import { afterEach, beforeEach, expect, test } from 'vitest'
import { countDeliveries, listDeliveries, retryDeliveries } from '../../src/deliveries/delivery.report.ts'
import type { DeliveryState } from '../../src/deliveries/delivery.store.ts'
import { startBellhop } from '../bellhop.ts'
import { until } from '../database/embedded/processes.ts'
import { createTestDatabase, type TestDatabase } from '../database/test-database.ts'
import { mailBrand, startMailDesk } from './mail-desk.ts'
import { auditOf, deliveryOf } from './rows.ts'
import { queueTickets } from './waiting.ts'

let database: TestDatabase
beforeEach(async () => {
  database = await createTestDatabase()
})
afterEach(() => database.stop())

const UNDELIVERED: DeliveryState[] = ['pending', 'leased', 'rejected', 'dead']

test.each([[UNDELIVERED], [['dead'] as DeliveryState[]], [['leased', 'rejected'] as DeliveryState[]]])(
  'among many that were delivered, those in %j are found without looking at the others',
  async (states) => {
    const { sql } = database
    await queueTickets(sql, 'acme', 1)
    await sql`
      INSERT INTO deliveries (brand_id, id, message_id, connector, state, locked_by, finished_at)
      SELECT brand_id, gen_random_uuid(), id, 'smtp', state, CASE WHEN state = 'leased' THEN 'here' END,
        CASE WHEN state <> 'leased' THEN now() END
      FROM messages, (
        SELECT 'delivered' AS state FROM generate_series(1, 20000)
        UNION ALL SELECT unnest(ARRAY['leased', 'rejected', 'dead'])
      )`
    await sql`ANALYZE deliveries`
    const filter = { states, brandId: null, minimumAge: 0, limit: 50 }
    await sql.begin(async (transaction) => {
      const scans = async () => {
        const [row] = await transaction<{ count: number }[]>`
          SELECT seq_scan::int AS count FROM pg_stat_xact_user_tables WHERE relname = 'deliveries'`
        return row?.count
      }
      const before = await scans()
      const lines = await listDeliveries(transaction, filter)
      expect(lines.map(({ state }) => state).sort()).toEqual([...states].sort())
      expect(await scans()).toBe(before)
    })
  },
)

test('what failed is counted by side from its index, and no row of it is looked at', async () => {
  const { sql } = database
  await queueTickets(sql, 'acme', 1)
  await sql`
    INSERT INTO deliveries (brand_id, id, message_id, side, connector, recipient, state, finished_at)
    SELECT brand_id, gen_random_uuid(), id, side, CASE side WHEN 'desk' THEN 'smtp' ELSE 'mail' END,
      CASE side WHEN 'customer' THEN 'ada@example.com' END, state, now()
    FROM messages, generate_series(1, 1000), unnest(ARRAY['desk', 'customer']) side,
      unnest(ARRAY['dead', 'rejected', 'delivered', 'delivered', 'delivered']) state`
  await sql`VACUUM (ANALYZE) deliveries`
  await sql.begin(async (transaction) => {
    const read = async () => {
      const [row] = await transaction<{ rows: number; scans: number }[]>`
        SELECT idx_tup_fetch::int AS rows, seq_scan::int AS scans FROM pg_stat_xact_user_tables
        WHERE relname = 'deliveries'`
      return row ?? { rows: Number.NaN, scans: Number.NaN }
    }
    const before = await read()
    const counts = await countDeliveries(transaction)
    expect(counts.map(({ side, state, count }) => `${side} ${state} ${count}`).sort()).toEqual([
      'customer dead 1000',
      'customer rejected 1000',
      'desk dead 1000',
      'desk pending 1',
      'desk rejected 1000',
    ])
    const { rows, scans } = await read()
    expect([rows - before.rows, scans - before.scans]).toEqual([1, 0])
  })
})

test('many are retried in a few statements, each with an audit entry that sorts by its time', async () => {
  const { sql } = database
  await queueTickets(sql, 'acme', 10_100)
  await queueTickets(sql, 'globex', 1)
  await sql`UPDATE deliveries SET state = 'dead', attempts = 9, finished_at = now()`
  await sql`
    CREATE FUNCTION count_statement() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN INSERT INTO statements VALUES (1); RETURN NULL; END $$`
  await sql`CREATE TABLE statements (one integer)`
  await sql`
    CREATE TRIGGER counted AFTER INSERT ON audit_entries FOR EACH STATEMENT EXECUTE FUNCTION count_statement()`
  const retried = await retryDeliveries(sql, 'grace', { states: ['dead'], brandId: 'acme' })
  expect(new Set(retried).size).toBe(10_100)
  const [audit] = await sql`
    SELECT count(DISTINCT delivery_id)::int AS count, bool_and(substr(id::text, 15, 1) = '7') AS by_time,
      bool_and(actor_id = 'grace') AS by_grace, (SELECT count(*)::int FROM statements) AS statements
    FROM audit_entries WHERE action = 'delivery.retried' AND brand_id = 'acme'`
  expect(audit).toEqual({ count: 10_100, by_time: true, by_grace: true, statements: 2 })
  expect(await retryDeliveries(sql, 'grace', { ids: retried.slice(0, 3) })).toEqual([])
  const [left] = await sql`SELECT brand_id FROM deliveries WHERE state = 'dead'`
  expect(left?.brand_id).toBe('globex')
})

test('one that was dead and is retried backs off from the beginning, not from where it had come to', async () => {
  const desk = await startMailDesk()
  const stops = [() => desk.close()]
  const brands = (issuer: Parameters<typeof mailBrand>[1]) => [mailBrand('acme', issuer, desk, 0)]
  try {
    const api = await startBellhop({ brands, roles: { api: true, worker: false } })
    stops.push(() => api.stop())
    const [message] = await queueTickets(api.sql, 'acme', 1)
    if (message === undefined) throw new Error('no ticket')
    await api.sql`UPDATE deliveries SET state = 'dead', attempts = 13, finished_at = now()`
    const { id } = await deliveryOf(api.sql, message)
    expect(await retryDeliveries(api.sql, 'grace', { ids: [id] })).toEqual([id])
    expect(await auditOf(api.sql, message)).toEqual(['operator delivery.retried'])
    desk.refuseRecipients.push(...Array<number>(10).fill(450))
    const worker = await startBellhop({
      beside: api,
      brands,
      roles: { api: false, worker: true },
      random: () => 0.999,
    })
    stops.push(() => worker.stop())
    // The second attempt comes within a second of the first, and not within an hour.
    await until(async () => (await deliveryOf(api.sql, message)).attempts >= 15)
  } finally {
    for (const stop of stops.reverse()) await stop()
  }
})
