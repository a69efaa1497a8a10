import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { Executor } from '../../src/database/pool.ts'
import { claimDeliveries } from '../../src/deliveries/delivery.store.ts'
import { heldSince, holdDeliveries, leasersAreThrough, releaseDeliveries } from '../../src/deliveries/hold.ts'
import { buryExpired } from '../../src/deliveries/upkeep.store.ts'
import { brandOf, startBellhop, type TestBellhop, type TestBellhopOptions } from '../bellhop.ts'
import { until } from '../database/embedded/processes.ts'
import type { TestIssuer } from '../http/tokens/test-issuer.ts'
import { type MailDesk, mailBrand, messageIds, startMailDesk } from './mail-desk.ts'
import { deliveryOf, endsOf, makeLate, stateOf } from './rows.ts'
import { queueTickets } from './waiting.ts'

const API = { api: true, worker: false }
/** Far longer than a test takes: who waits for the desk is seen. */
const WAIT = 30_000

let desk: MailDesk
let stops: (() => Promise<void>)[]
beforeEach(async () => {
  desk = await startMailDesk()
  stops = [() => desk.close()]
})
afterEach(async () => {
  for (const stop of stops.reverse()) await stop()
})

async function start(options: TestBellhopOptions = {}): Promise<TestBellhop> {
  const brands = (issuer: TestIssuer) => [
    mailBrand('acme', issuer, desk, WAIT),
    brandOf('globex', issuer, { wait: WAIT }),
  ]
  const bellhop = await startBellhop({ brands, ...options })
  stops.push(() => bellhop.stop())
  return bellhop
}

async function hold({ sql }: TestBellhop): Promise<Date | null> {
  const before = await sql.begin((transaction) => holdDeliveries(transaction))
  expect(await leasersAreThrough(sql, 10_000)).toBe(true)
  return before
}
const release = ({ sql }: TestBellhop) => sql.begin((transaction) => releaseDeliveries(transaction))

describe('while deliveries are on hold', () => {
  test('tickets are accepted at once and none leaves; then all do, each once', async () => {
    const bellhop = await start()
    const before = await queueTickets(bellhop.sql, 'acme', 3)
    await until(() => desk.mails.length === 3)
    await hold(bellhop)
    const filed = await Promise.all(Array.from({ length: 8 }, () => bellhop.file()))
    expect(filed.map(({ status, body }) => [status, body.status])).toEqual(Array(8).fill([201, 'requested']))
    for (const ticket of filed) {
      expect(await deliveryOf(bellhop.sql, ticket)).toMatchObject({
        state: 'pending',
        attempts: 0,
        locked_by: null,
        due_in: expect.any(Number),
      })
    }
    const waiting = await queueTickets(bellhop.sql, 'acme', 5)
    const wanted = { brandId: 'acme', side: 'desk' as const, limit: 5, connector: 'smtp', mailDomain: null }
    expect(await claimDeliveries(bellhop.sql, 'another', [wanted], 5, [])).toEqual([])
    expect(desk.mails).toHaveLength(3)

    expect(await release(bellhop)).toBeInstanceOf(Date)
    const all = [...before, ...waiting, ...filed.map(({ body }) => body.message_id)]
    await until(() => desk.mails.length === all.length)
    expect(messageIds(desk.mails).sort()).toEqual(all.map((id) => `<${id}@acme.example>`).sort())
    expect((await bellhop.file()).body.status).toBe('sent')
  })

  test('the built-in inbox goes on: nothing of it is carried anywhere', async () => {
    const bellhop = await start()
    await hold(bellhop)
    expect((await bellhop.file({ brand_id: 'globex' })).body.status).toBe('sent')
  })

  test('a place at the desk is given back, so that a release finds all of them', async () => {
    const bellhop = await start({ roles: API })
    await hold(bellhop)
    await Promise.all(Array.from({ length: 20 }, () => bellhop.file()))
    await release(bellhop)
    const again = await Promise.all(Array.from({ length: 5 }, () => bellhop.file()))
    expect(again.map(({ body }) => body.status)).toEqual(Array(5).fill('sent'))
  })

  test('a key that came under the hold is replayed as it stands', async () => {
    const bellhop = await start()
    await hold(bellhop)
    const key = { 'idempotency-key': 'one' }
    const first = await bellhop.file({}, key)
    const again = await bellhop.file({}, key)
    expect([first.body.status, again.body]).toEqual(['requested', first.body])
    await release(bellhop)
    await until(async () => (await bellhop.file({}, key)).body.status === 'sent')
    expect(desk.mails).toHaveLength(1)
  })

  test('what was leased before may finish, and a process that died leaves it where it is', async () => {
    const bellhop = await start()
    const letGo = desk.hold()
    const under = bellhop.file()
    await until(() => desk.mails.length === 1)
    await hold(bellhop)
    letGo()
    expect((await under).body.status).toBe('sent')
    const [lost] = await queueTickets(bellhop.sql, 'acme', 1)
    await bellhop.sql`
      UPDATE deliveries SET state = 'leased', locked_by = 'dead', attempts = 1, due_at = now() - interval '1 hour'
      WHERE state = 'pending'`
    await makeLate(bellhop.sql, String(lost))
    expect(await buryExpired(bellhop.sql, [])).toBe(0)
    expect(await stateOf(bellhop.sql, String(lost))).toBe('leased')
    await release(bellhop)
    // Not given up for the time that it was on hold.
    await until(async () => (await stateOf(bellhop.sql, String(lost))) === 'delivered')
    expect(await endsOf(bellhop.sql, String(lost))).toEqual(['uncertain lease_expired', 'delivered smtp_250'])
  })
})

test('a hold is exact: under load nothing is leased after it', async () => {
  const bellhop = await start()
  let stopped = false
  const callers = Array.from({ length: 16 }, async () => {
    while (!stopped) expect((await bellhop.file()).status).toBe(201)
  })
  for (let round = 0; round < 5; round++) {
    await until(() => desk.mails.length > round * 20)
    await hold(bellhop)
    const leased = () => bellhop.sql<{ begun: string }[]>`
      SELECT coalesce(sum(attempts), 0)::text AS begun FROM deliveries`
    const [at] = await leased()
    const [counted] = await bellhop.sql<{ count: number }[]>`SELECT count(*)::int AS count FROM tickets`
    await until(async () => {
      const [now] = await bellhop.sql<{ count: number }[]>`SELECT count(*)::int AS count FROM tickets`
      return (now?.count ?? 0) > (counted?.count ?? 0) + 30
    })
    expect(await leased()).toEqual([at])
    await release(bellhop)
  }
  stopped = true
  await Promise.all(callers)
})

/** A transaction that stays open at its end until it is told to go on. */
async function keepOpen(
  { sql }: TestBellhop,
  work: (transaction: Executor) => Promise<unknown>,
): Promise<() => Promise<void>> {
  const done = Promise.withResolvers<void>()
  const commit = Promise.withResolvers<void>()
  const transaction = sql.begin(async (begun) => {
    await work(begun)
    done.resolve()
    await commit.promise
  })
  await Promise.race([done.promise, transaction])
  return async () => {
    commit.resolve()
    await transaction
  }
}

test('a hold waits for whoever has looked and not committed yet, and no ticket waits for the hold', async () => {
  const bellhop = await start({ roles: API })
  const [waiting] = await queueTickets(bellhop.sql, 'acme', 1)
  const wanted = { brandId: 'acme', side: 'desk' as const, limit: 1, connector: 'smtp', mailDomain: null }
  const commit = await keepOpen(bellhop, async (transaction) => {
    expect(await claimDeliveries(transaction, 'another', [wanted], 1, [])).toHaveLength(1)
  })
  let exact = false
  const held = hold(bellhop).then(() => {
    exact = true
  })
  await until(() => heldSince(bellhop.sql))
  expect((await bellhop.file()).body.status).toBe('requested')
  expect(await leasersAreThrough(bellhop.sql, 100)).toBe(false)
  expect(exact).toBe(false)
  await commit()
  await held
  expect(await stateOf(bellhop.sql, String(waiting))).toBe('leased')
})

test('a hold is taken beside a VACUUM or an index that is being made', async () => {
  const bellhop = await start({ roles: API })
  const end = await keepOpen(
    bellhop,
    (transaction) => transaction`LOCK TABLE deliveries IN SHARE UPDATE EXCLUSIVE MODE`,
  )
  expect(await hold(bellhop)).toBeNull()
  await end()
})

test('a hold during a release waits for it, and is there after it', async () => {
  const bellhop = await start({ roles: API })
  await hold(bellhop)
  const commit = await keepOpen(bellhop, (transaction) => releaseDeliveries(transaction))
  const held = hold(bellhop)
  await until(async () => {
    const waits = await bellhop.sql`
      SELECT FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'`
    return waits.length === 1
  })
  await commit()
  expect(await held).toBeNull()
  expect(await heldSince(bellhop.sql)).toBeInstanceOf(Date)
})

test('a release gives each of many that wait another day', async () => {
  const bellhop = await start({ roles: API })
  await hold(bellhop)
  await queueTickets(bellhop.sql, 'acme', 3000)
  await bellhop.sql`UPDATE deliveries SET give_up_at = now() + interval '1 minute'`
  await release(bellhop)
  const [left] = await bellhop.sql<{ hours: number; count: number }[]>`
    SELECT extract(epoch FROM min(give_up_at) - now())::float8 / 3600 AS hours, count(*)::int AS count FROM deliveries`
  expect(left?.count).toBe(3000)
  expect(left?.hours).toBeCloseTo(24, 1)
})

test('a hold that is there stays as it is, and a release without one does nothing', async () => {
  const bellhop = await start()
  expect(await heldSince(bellhop.sql)).toBeNull()
  expect(await release(bellhop)).toBeNull()
  await hold(bellhop)
  const since = await heldSince(bellhop.sql)
  await hold(bellhop)
  expect(await heldSince(bellhop.sql)).toEqual(since)
  expect(await release(bellhop)).toEqual(since)
  expect(await heldSince(bellhop.sql)).toBeNull()
})
