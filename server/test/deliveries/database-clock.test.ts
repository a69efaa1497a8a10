import { afterEach, beforeEach, expect, test } from 'vitest'
import { pullNear } from '../../src/deliveries/database-clock.store.ts'
import { DatabaseClock, type Mend } from '../../src/deliveries/database-clock.ts'
import { claimDeliveries, finishAttempt } from '../../src/deliveries/delivery.store.ts'
import { createLog } from '../../src/log.ts'
import { createTestDatabase, type TestDatabase } from '../database/test-database.ts'
import { deliveryOf } from './rows.ts'
import { queueTickets } from './waiting.ts'

const HOLDER = 'host:1:a'
const DESK = { brandId: 'acme', side: 'desk' as const, limit: 10, connector: 'inbox', mailDomain: null }

let database: TestDatabase
let lines: string[]
beforeEach(async () => {
  database = await createTestDatabase()
  lines = []
})
afterEach(() => database.stop())

const startClock = (mend: Mend = pullNear) =>
  new DatabaseClock({
    database: database.database,
    log: createLog({ level: 'debug', pretty: false, stream: { write: (line) => void lines.push(line) } }),
    mend,
  })

/** A message whose first attempt ended, and whose next is so many seconds away. */
async function failedOnce(delay: number): Promise<string> {
  const [message] = await queueTickets(database.sql, 'acme', 1)
  if (message === undefined) throw new Error('no ticket')
  const [claimed] = await claimDeliveries(database.sql, HOLDER, [DESK], 10, [])
  if (claimed === undefined) throw new Error('nothing was due')
  const { brandId, deliveryId, attempt } = claimed
  const end = { outcome: 'retry' as const, code: 'http_503', answer: null, durationMs: 1 }
  const next = { next: 'pending' as const, delay }
  await finishAttempt(database.sql, HOLDER, { brandId, deliveryId, attempt, ...end, ...next })
  return message
}

/** As all looks once the clock was put back: what there is was written in a time to come. */
async function putBack(hours: number): Promise<void> {
  const by = `${hours} hours`
  await database.sql`UPDATE deliveries SET due_at = due_at + ${by}::interval, created_at = created_at + ${by}::interval`
  await database.sql`ALTER TABLE attempts DISABLE TRIGGER USER`
  await database.sql`UPDATE attempts SET ended_at = ended_at + ${by}::interval`
  await database.sql`ALTER TABLE attempts ENABLE TRIGGER USER`
}

test('after a clock was put back a day, what waited two minutes waits two minutes, and a dead lease its half', async () => {
  const waiting = await failedOnce(120)
  const [untried] = await queueTickets(database.sql, 'acme', 1)
  const [leased] = await queueTickets(database.sql, 'globex', 1)
  if (!untried || !leased) throw new Error('no tickets')
  await claimDeliveries(database.sql, 'died:1', [{ ...DESK, brandId: 'globex' }], 10, [])
  await putBack(24)
  expect((await deliveryOf(database.sql, waiting)).due_in).toBeGreaterThan(86_000)

  await startClock().look()
  expect((await deliveryOf(database.sql, waiting)).due_in).toBeCloseTo(120, -1)
  expect((await deliveryOf(database.sql, untried)).due_in).toBeLessThanOrEqual(0)
  expect(await deliveryOf(database.sql, leased)).toMatchObject({ state: 'leased', locked_by: 'died:1' })
  expect((await deliveryOf(database.sql, leased)).due_in).toBeCloseTo(30, -1)
  expect(lines.join()).toContain('"count":3')
})

test('a desk that asked for a day is left alone for a day, however often the clock is looked at', async () => {
  const patient = await failedOnce(86_400)
  const clock = startClock()
  await clock.look()
  await clock.look()
  expect((await deliveryOf(database.sql, patient)).due_in).toBeCloseTo(86_400, -2)
  expect(lines).toEqual([])
})

test('a clock that jumped there and back between two looks keeps nothing waiting for a day', async () => {
  const clock = startClock()
  for (let look = 0; look < 3; look++) await clock.look()
  const waiting = await failedOnce(120)
  await putBack(24)
  for (let look = 0; look < 6; look++) await clock.look()
  expect((await deliveryOf(database.sql, waiting)).due_in).toBeCloseTo(120, -1)
})

test('of thousands that wait each is set right', async () => {
  await queueTickets(database.sql, 'acme', 3000)
  await putBack(24)
  await startClock().look()
  const [far] = await database.sql`SELECT FROM deliveries WHERE due_at > now() + interval '1 minute' LIMIT 1`
  expect(far).toBeUndefined()
  expect(lines.join()).toContain('"count":3000')
})

test('what cannot be set right is not tried without end', async () => {
  let tries = 0
  const clock = startClock(async () => {
    tries++
    throw new Error('It cannot be set right')
  })
  for (let look = 0; look < 5; look++) await clock.look()
  expect(tries).toBe(2)
})
