import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type FloodOrder, type FloodResult, flood, KEY } from '../chaos/flood.ts'
import { overloadChecks, type Seen } from '../chaos/overload-checks.ts'

const PATIENCE = 300
let server: Server
let folder: string
/** Of ten requests: those that get no answer. */
let silent = 0
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'bellhop-test-'))
  let asked = 0
  server = createServer((_request, response) => {
    if (asked++ % 10 < silent) return
    response.writeHead(201, { 'content-length': 2 }).end('{}')
  })
  await once(server.listen(0, '127.0.0.1'), 'listening')
})
afterAll(async () => {
  server.closeAllConnections()
  await once(server.close(), 'close')
  await rm(folder, { recursive: true })
})

function run(load: Partial<FloodOrder>): Promise<FloodResult> {
  return flood({
    port: (server.address() as AddressInfo).port,
    perSecond: 200,
    seconds: 0.5,
    kept: 8,
    most: 64,
    fresh: 0.2,
    patience: PATIENCE,
    requests: [`GET / HTTP/1.1\r\nHost: x\r\nIdempotency-Key: ${KEY}\r\n\r\n`],
    keys: 'test-',
    acknowledged: join(folder, 'acknowledged'),
    ...load,
  })
}

test('who has no answer stands among the accepted with all the patience that was spent', async () => {
  silent = 2
  const { sent, accepted, unanswered, latency } = await run({})
  expect(unanswered.late).toBeGreaterThan(0)
  expect(accepted + (unanswered.late ?? 0)).toBe(sent)
  // On a busy machine an answer is read late, and stands above it.
  expect(latency.accepted.p99).toBeGreaterThanOrEqual(PATIENCE)
})

test('in the closed model each connection asks again when it has its answer', async () => {
  silent = 0
  const { due, sent, accepted, latency } = await run({ perSecond: null, kept: 4, most: 4, fresh: 0 })
  expect([due, accepted]).toEqual([sent, sent])
  // More than once each, though none of them is due at a time.
  expect(sent).toBeGreaterThan(4 * 8)
  expect(latency.accepted.p50).toBeLessThan(PATIENCE)
})

const GOOD: Seen = {
  name: 'ten times',
  load: { perSecond: 1000, seconds: 10, kept: 1, most: 2, fresh: 0.1, patience: 5000 },
  sustainable: 100,
  accepts: 0.4,
  flood: {
    due: 10_000,
    sent: 10_000,
    accepted: 500,
    refused: 9500,
    others: {},
    unanswered: {},
    latency: { accepted: { p50: 1, p99: 2, most: 3 }, refused: { p50: 1, p99: 2, most: 3 } },
    cores: 0.2,
  },
  probes: { count: 10, failed: 0, slowest: 5, residentMiB: 100 },
  recovered: 1000,
}

test.each<[string, Partial<Seen>, Partial<FloodResult>]>([
  ['accepted, of what is sustainable', {}, { accepted: 300 }],
  ['due, sent, accepted, refused', {}, { sent: 9000 }],
  ['due, sent, accepted, refused', {}, { refused: 0 }],
  [
    'p99 of the accepted',
    {},
    { latency: { ...GOOD.flood.latency, accepted: { p50: 1, p99: 2500, most: 3 } } },
  ],
  ['without an answer', {}, { unanswered: { late: 60, queued: 60 } }],
  ['/healthz', { probes: { ...GOOD.probes, failed: 1 } }, {}],
  ['back to normal', { recovered: null }, {}],
])('an overload falls short by %s alone', (what, seen, floodSeen) => {
  expect(overloadChecks(GOOD, 1).every(({ ok }) => ok)).toBe(true)
  const checks = overloadChecks({ ...GOOD, ...seen, flood: { ...GOOD.flood, ...floodSeen } }, 1)
  const broken = checks.filter(({ ok }) => !ok).map((check) => check.what)
  expect(broken).toHaveLength(1)
  expect(broken[0]).toContain(what)
})
