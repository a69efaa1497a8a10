import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { Metrics } from '../../src/http/metrics.ts'
import { startBellhop, type TestBellhop } from '../bellhop.ts'
import { startClock } from './tokens/judgement.ts'

let bellhop: TestBellhop
beforeAll(async () => {
  bellhop = await startBellhop()
})
afterAll(() => bellhop.stop())

const scrape = async () => {
  const answer = await bellhop.ask('/metrics', { headers: { authorization: '' } })
  expect(answer.status).toBe(200)
  expect(answer.headers.get('content-type')).toMatch(/^text\/plain/)
  return answer.text
}
/** Every series, without its value and without the buckets. */
const series = (text: string) =>
  text
    .split('\n')
    .filter((line) => line.startsWith('bellhop_') && !line.includes('le='))
    .map((line) => line.slice(0, line.lastIndexOf(' ')))
    .sort()
const reading = (text: string, name: string) =>
  Number(
    text
      .split('\n')
      .find((line) => line.startsWith(`${name} `))
      ?.split(' ')
      .at(-1),
  )

describe('what an operator can watch', () => {
  test('requests, acceptance, bytes, the pool, the event loop', async () => {
    const attachment = { filename: 'a', content_base64: Buffer.alloc(1234).toString('base64') }
    expect((await bellhop.file({ attachment })).status).toBe(201)
    expect((await bellhop.file({ subject: '' })).status).toBe(400)
    const text = await scrape()
    const request = (status: number) =>
      `bellhop_http_request_duration_seconds_count{method="POST",route="/v1/support/tickets",status="${status}"}`
    expect(reading(text, request(201))).toBe(1)
    expect(reading(text, request(400))).toBe(1)
    expect(reading(text, 'bellhop_ticket_acceptance_duration_seconds_count')).toBe(1)
    expect(reading(text, 'bellhop_blob_bytes')).toBe(1234)
    expect(reading(text, 'bellhop_deliveries_held')).toBe(0)
    expect(reading(text, 'bellhop_database_pool{what="max"}')).toBeGreaterThan(0)
    expect(reading(text, 'nodejs_eventloop_lag_p99_seconds')).toBeGreaterThanOrEqual(0)
    expect(text).toContain('bellhop_issuer_calls_total{issuer=')
  })

  test('what is not delivered, by brand, side and state, and how old the oldest is', async () => {
    await bellhop.file()
    await bellhop.sql`UPDATE deliveries SET state = 'dead', finished_at = now()`
    await bellhop.file({ brand_id: 'globex' })
    await bellhop.sql`
      UPDATE deliveries SET state = 'pending', finished_at = NULL, created_at = now() - interval '1 hour',
        due_at = now() + interval '1 hour'
      WHERE brand_id = 'globex'`
    // An answer of the database is kept for a second.
    await expect.poll(scrape, { timeout: 5000 }).toContain('bellhop_deliveries{brand="globex"')
    const text = await scrape()
    expect(reading(text, 'bellhop_deliveries{brand="acme",side="desk",state="dead"}')).toBe(2)
    expect(reading(text, 'bellhop_deliveries{brand="globex",side="desk",state="pending"}')).toBe(1)
    const age = reading(text, 'bellhop_oldest_undelivered_age_seconds{brand="globex",side="desk"}')
    expect(age).toBeGreaterThan(3590)
    expect(age).toBeLessThan(3660)
    expect(text).not.toContain('bellhop_oldest_undelivered_age_seconds{brand="acme"')
    await bellhop.sql`UPDATE deliveries SET state = 'delivered', finished_at = now()`
    await expect.poll(scrape, { timeout: 5000 }).not.toContain('state="dead"')
    expect(await scrape()).not.toContain('bellhop_oldest_undelivered_age_seconds{')
  })
})

test('a customer’s mailbox that is full for days hides no desk that is away, and makes none look so', async () => {
  const metrics = new Metrics({ brandIds: [], issuers: [] })
  const days = 2 * 86_400
  metrics.watch({
    deliveries: async () => [
      { brandId: 'acme', side: 'customer', state: 'leased', count: 1, oldestAge: days },
      { brandId: 'acme', side: 'customer', state: 'pending', count: 2, oldestAge: 30 },
      { brandId: 'globex', side: 'desk', state: 'pending', count: 4, oldestAge: 1000 },
      { brandId: 'globex', side: 'customer', state: 'pending', count: 1, oldestAge: days },
    ],
    held: async () => false,
    blobBytes: async () => 0,
    pool: () => ({ open: 0, busy: 0, max: 0, waiting: 0 }),
  })
  const text = await metrics.registry.metrics()
  const age = (brand: string, side: string) =>
    reading(text, `bellhop_oldest_undelivered_age_seconds{brand="${brand}",side="${side}"}`)
  expect([age('acme', 'desk'), age('acme', 'customer')]).toEqual([Number.NaN, days])
  expect([age('globex', 'desk'), age('globex', 'customer')]).toEqual([1000, days])
  expect(reading(text, 'bellhop_deliveries{brand="acme",side="customer",state="pending"}')).toBe(2)
  expect(reading(text, 'bellhop_deliveries{brand="globex",side="desk",state="pending"}')).toBe(4)
})

test('who asks over and over costs the database a question a second, and one a minute for the bytes', async () => {
  const clock = startClock()
  const metrics = new Metrics({ brandIds: [], issuers: [] })
  const asked = { deliveries: 0, held: 0, blobBytes: 0 }
  let away = false
  const answer = async <T>(what: keyof typeof asked, value: T) => {
    asked[what]++
    if (away) throw new Error('away')
    return value
  }
  metrics.watch(
    {
      deliveries: () =>
        answer('deliveries', [{ brandId: 'acme', side: 'desk', state: 'dead', count: 3, oldestAge: 5 }]),
      held: () => answer('held', true),
      blobBytes: () => answer('blobBytes', 42),
      pool: () => ({ open: 0, busy: 0, max: 0, waiting: 0 }),
    },
    clock.now,
  )
  const many = async () => {
    await Promise.all(Array.from({ length: 20 }, () => metrics.registry.metrics()))
    return metrics.registry.metrics()
  }
  const text = await many()
  expect(reading(text, 'bellhop_deliveries{brand="acme",side="desk",state="dead"}')).toBe(3)
  expect(reading(text, 'bellhop_deliveries_held')).toBe(1)
  expect(reading(text, 'bellhop_blob_bytes')).toBe(42)
  expect(asked).toEqual({ deliveries: 1, held: 1, blobBytes: 1 })
  clock.forward(1001)
  await many()
  expect(asked).toEqual({ deliveries: 2, held: 2, blobBytes: 1 })
  clock.forward(60_000)
  away = true
  expect(await many()).not.toMatch(/^bellhop_(deliveries\{|deliveries_held |blob_bytes )/m)
  expect(asked).toEqual({ deliveries: 3, held: 3, blobBytes: 2 })
  away = false
  clock.forward(5001)
  expect(reading(await many(), 'bellhop_blob_bytes')).toBe(42)
  expect(asked).toEqual({ deliveries: 4, held: 4, blobBytes: 3 })
})

test('no caller can add a series, or leave a word of theirs', async () => {
  const odd = async (canary: string) => {
    const { body } = await bellhop.file({ subject: canary, person_id: 'per_ada', [canary]: 1 })
    await bellhop.ask(`/v1/support/tickets/${body.ticket_id}?${canary}`)
    await bellhop.ask(`/v1/support/tickets/${canary}`)
    await bellhop.file({ brand_id: canary })
    await bellhop.file({ person_id: canary })
    for (const path of [`/${canary}`, `/${canary}/${canary}`, `/docs/${canary}`, '/%', `/%2e%2e/${canary}`]) {
      await bellhop.ask(path)
    }
    for (const method of ['PUT', 'DELETE', 'PATCH', 'PROPFIND', 'SEARCH', 'OPTIONS', 'HEAD']) {
      for (const path of ['/v1/support/tickets', `/${canary}`]) await fetch(bellhop.url + path, { method })
    }
    await bellhop.ask('/healthz', { headers: { 'user-agent': canary, 'x-canary': canary, host: canary } })
    return String(body.ticket_id)
  }
  await odd('first')
  const before = await scrape()
  const ticketId = await odd('c4nary')
  const after = await scrape()
  expect(series(after)).toEqual(series(before))
  for (const word of ['c4nary', 'per_ada', ticketId]) expect(after).not.toContain(word)
  expect(series(after).length).toBeLessThan(100)
  expect(series(after).join()).toContain('method="other"')
  expect(series(after).join()).toContain('route="unknown"')
})
