import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { LET_IN } from '../../src/http/admission.ts'
import { brandOf, startBellhop, type TestBellhop, TICKET } from '../bellhop.ts'
import { headOf, openRaw, type RawConnection, sayRaw } from './raw-http.ts'

const TICKETS = '/v1/support/tickets'
const MIB = 1024 * 1024
const ORIGIN = 'https://app.acme.example'
const LIMITS = { requests: 5, bytes: 2 * MIB }

let bellhop: TestBellhop
let authorization: string
const open: RawConnection[] = []
beforeAll(async () => {
  bellhop = await startBellhop({
    inFlight: LIMITS,
    lateMs: 1000,
    brands: (issuer) => [brandOf('acme', issuer, { origins: [ORIGIN] })],
  })
  authorization = `Bearer ${await bellhop.issuer.token()}`
})
afterEach(() => {
  for (const { socket } of open.splice(0)) socket.destroy()
})
afterAll(() => bellhop.stop())

/** Announces a body and waits whether the server wants it. */
const announce = async (length: number, as = authorization) => {
  const connection = await openRaw(bellhop.url)
  open.push(connection)
  const headers = { authorization: as, 'content-type': 'application/json', 'content-length': length }
  connection.write(headOf('POST', TICKETS, { ...headers, expect: '100-continue' }))
  return { connection, answer: await connection.answer() }
}
const file = async (bytes = 0) => (await bellhop.file({ note: 'n'.repeat(bytes) }, { authorization })).status
const statusOf = async (path: string) => (await bellhop.ask(path, { headers: { authorization } })).status

/** No ticket is kept until it is released. */
async function lockTickets(): Promise<{ release(): void }> {
  const gate = Promise.withResolvers<void>()
  const locked = Promise.withResolvers<void>()
  const holding = bellhop.sql.begin(async (sql) => {
    await sql`LOCK TABLE tickets IN EXCLUSIVE MODE`
    locked.resolve()
    await gate.promise
  })
  holding.catch(locked.reject)
  await locked.promise
  return { release: () => gate.resolve() }
}

describe('large bodies', () => {
  test('hold nothing by being announced', async () => {
    for (let round = 0; round < LIMITS.requests - 1; round++) {
      expect((await announce(26 * MIB)).answer.status).toBe(100)
    }
    expect(await file(MIB)).toBe(201)
  })

  test('that are more than the process can bear are turned away; small ones and probes are not', async () => {
    const holdAll = async () => {
      const { connection } = await announce(26 * MIB)
      connection.write(Buffer.alloc(LET_IN + LIMITS.bytes - 1, ' '))
      return connection
    }
    let holder = await holdAll()
    const probe = async () => {
      // While it was still sending, the probe may have been the one that took the last of the room.
      if (!holder.received().includes(' 503 ')) return file(2 * LET_IN)
      holder = await holdAll()
      return 'once more'
    }
    await expect.poll(probe).toBe(503)

    const late = await announce(26 * MIB)
    late.connection.write(Buffer.alloc(2 * MIB, ' '))
    const refused = await late.connection.answer()
    expect([refused.status, refused.body.error]).toEqual([503, 'unavailable'])
    expect(Number(refused.headers['retry-after'])).toBeGreaterThan(0)
    await late.connection.closed

    expect(await file()).toBe(201)
    expect(await file(LET_IN / 2)).toBe(201)
    for (const path of ['/healthz', '/readyz', '/metrics']) expect(await statusOf(path)).toBe(200)

    holder.socket.destroy()
    await expect.poll(() => file(2 * LET_IN)).toBe(201)
  })
})

test('who has no valid token takes nobody a place, however long it takes to tell', async () => {
  expect(await file()).toBe(201)
  for (let round = 0; round < 2 * LIMITS.requests; round++) {
    expect((await announce(26 * MIB, 'Bearer x')).answer.status).toBe(401)
  }
  // A key that nobody has seen yet: its issuer is asked, and says nothing.
  const key = await bellhop.issuer.newKey()
  const letGo = bellhop.issuer.hold()
  const asked = bellhop.issuer.asked.keys
  const unknown = await bellhop.issuer.token({}, { key })
  const waiting = Array.from({ length: 2 * LIMITS.requests }, () =>
    bellhop.file({}, { authorization: `Bearer ${unknown}` }),
  )
  await new Promise((resolve) => setImmediate(resolve))
  expect(await file()).toBe(201)
  letGo()
  const statuses = (await Promise.all(waiting)).map(({ status }) => status)
  expect(bellhop.issuer.asked.keys).toBeLessThanOrEqual(asked + 1)
  expect(statuses.filter((status) => status !== 201 && status !== 503)).toEqual([])
  await expect.poll(() => file()).toBe(201)
})

test('a full server turns away before it looks at anything, and counts whom', async () => {
  const holding = await lockTickets()
  const waiting = Array.from({ length: LIMITS.requests }, () => bellhop.file({}, { authorization }))
  await expect.poll(() => statusOf('/readyz')).toBe(503)
  const refused = await sayRaw(
    bellhop.url,
    headOf('POST', TICKETS, { origin: ORIGIN, 'content-type': 'text/plain', 'content-length': 0 }),
  )
  expect([refused.status, refused.body]).toEqual([
    503,
    { error: 'unavailable', message: 'The server is full.' },
  ])
  expect(refused.headers).toMatchObject({
    'retry-after': '1',
    'x-content-type-options': 'nosniff',
    'x-request-id': expect.stringMatching(/^[0-9a-f]{32}$/),
    'access-control-allow-origin': ORIGIN,
    'access-control-expose-headers': expect.stringContaining('retry-after'),
  })
  expect(await sayRaw(bellhop.url, headOf('HEAD', '/nowhere'), true)).toMatchObject({ status: 503, text: '' })
  for (const path of ['/healthz', '/metrics', '/metrics?name=x']) expect(await statusOf(path)).toBe(200)
  holding.release()
  expect((await Promise.all(waiting)).map(({ status }) => status)).toEqual(Array(LIMITS.requests).fill(201))
  await expect.poll(() => bellhop.logged(), { timeout: 5000 }).toMatch(/"event":"turned_away"/)
  const lines = bellhop
    .logged()
    .split('\n')
    .filter((line) => line.includes('"turned_away"'))
  const counted = lines.reduce((sum, line) => sum + JSON.parse(line).count, 0)
  const { text } = await bellhop.ask('/metrics')
  expect(counted).toBeGreaterThanOrEqual(2)
  expect(Number(/^bellhop_http_turned_away_total (\d+)$/m.exec(text)?.[1])).toBe(counted)
  expect(bellhop.logged()).not.toMatch(/"event":"request"[^\n]*"route":"unknown"/)
})

test('who hangs up is counted until the work is over that they gave', async () => {
  const body = JSON.stringify({ ...TICKET, subject: 'sent and gone' })
  const holding = await lockTickets()
  const answers: number[] = []
  for (let round = 0; round < 2 * LIMITS.requests; round++) {
    const { connection, answer } = await announce(Buffer.byteLength(body))
    answers.push(answer.status)
    if (answer.status !== 100) continue
    connection.socket.end(body)
    await connection.closed
  }
  expect(answers).toEqual([...Array(LIMITS.requests).fill(100), ...Array(LIMITS.requests).fill(503)])
  expect(await statusOf(`${TICKETS}/tkt_0`)).toBe(503)
  expect([await statusOf('/readyz'), await statusOf('/healthz')]).toEqual([503, 200])
  holding.release()
  await expect.poll(() => statusOf('/readyz')).toBe(200)
  const [kept] = await bellhop.sql`SELECT count(*)::int FROM tickets WHERE subject = 'sent and gone'`
  expect(kept?.count).toBe(LIMITS.requests)
  expect(await file()).toBe(201)
})

test('an event loop that is late turns tickets away, and says so to who asks whether it is ready', async () => {
  const still = new Int32Array(new SharedArrayBuffer(4))
  await expect
    .poll(
      async () => {
        Atomics.wait(still, 0, 0, 1500)
        return Promise.all([file(), statusOf('/readyz'), statusOf('/healthz')])
      },
      { timeout: 15_000, interval: 10 },
    )
    .toEqual([503, 503, 200])
  await expect.poll(() => file(), { timeout: 10_000 }).toBe(201)
}, 30_000)
