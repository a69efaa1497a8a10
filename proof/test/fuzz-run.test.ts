import { once } from 'node:events'
import { createServer, type Server } from 'node:http'
import { createServer as createSocketServer } from 'node:net'
import { openapi } from '@bellhop/contract'
import fc from 'fast-check'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { type Case, describeCase } from '../fuzz/case.ts'
import { casesOf } from '../fuzz/cases.ts'
import { Lane, sayAll } from '../fuzz/lane.ts'
import { GROWTH_LIMIT, growthOf } from '../fuzz/memory.ts'
import { readFuzzOptions } from '../fuzz/options.ts'
import { perform } from '../fuzz/perform.ts'
import { invitePeople } from '../fuzz/persons.ts'
import { run } from '../fuzz/run.ts'
import { type Document, readSurface } from '../fuzz/surface.ts'
import { Tally } from '../fuzz/tally.ts'
import { valuesOf } from '../fuzz/values.ts'
import { PROOF_FOLDER } from '../page.ts'

const surface = readSurface(JSON.parse(JSON.stringify(openapi('1.0.0'))) as Document)

describe('a server that cannot bear a number of 700 or more', () => {
  let server: Server
  let port: number
  beforeEach(async () => {
    server = createServer((request, response) => {
      response.writeHead(Number(request.url?.slice(1)) < 700 ? 200 : 500, { 'content-length': 0 }).end()
    }).listen(0, '127.0.0.1')
    await once(server, 'listening')
    const address = server.address()
    port = typeof address === 'object' && address !== null ? address.port : 0
  })
  afterEach(() => {
    server.closeAllConnections()
    server.close()
  })
  const number = fc.nat({ max: 1000 }).map(
    (n): Case => ({
      ...{ what: `number ${n}`, operation: null, method: 'GET', target: `/${n}` },
      ...{ headers: [], body: null, expect: [200] },
    }),
  )
  const go = (seed: number, path: string | null, requests = 2000) => {
    const stage = { port, surface, tally: new Tally(), nextKey: () => 'key' }
    const signal = new AbortController().signal
    return run(stage, number, { seed, path, requests, signal, progress: () => {} })
  }

  test('is caught with the least of them, which its seed and path find again', async () => {
    const failure = await go(42, null)
    expect(failure?.why).toMatch(/answered 500/)
    expect(failure?.cases.at(0)).toMatch(/number 700,/)
    expect(failure?.cases.length).toBeLessThan(3)
    const again = await go(failure?.seed ?? 0, failure?.path ?? '')
    expect(again?.why).toBe(failure?.why)
    expect(again?.cases).toEqual(failure?.cases)
  })
})

test.each([
  ['no HTTP', 'SMTP 220 hello\r\n\r\n', /no HTTP answer/],
  ['half an answer', 'HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhalf', /before its answer was whole/],
  ['an answer whose end is not to be known', 'HTTP/1.1 200 OK\r\n\r\n', /how long/],
  ['two answers', 'HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n'.repeat(2), /more came than one/],
])('a server that sends %s is caught', async (_what, bytes, fault) => {
  const server = createSocketServer((socket) => void socket.on('error', () => {}).end(bytes)).listen(
    0,
    '127.0.0.1',
  )
  await once(server, 'listening')
  const address = server.address()
  const port = typeof address === 'object' && address !== null ? address.port : 0
  await expect(new Lane(port).ask(Buffer.from('GET / HTTP/1.1\r\n\r\n'), false)).rejects.toThrow(fault)
  if (!fault.source.startsWith('more')) {
    await expect(sayAll(port, Buffer.from('GET / HTTP/1.1\r\n\r\n'), 1)).rejects.toThrow(fault)
  }
  server.close()
})

describe('two requests at once', () => {
  const answer = (more = '') => `HTTP/1.1 200 OK\r\ncontent-length: 0\r\n${more}\r\n`
  const two = raw({ wanted: 2, owed: true })
  test.each([
    ['answers only the first', answer(), two, /1 of 2 answers/],
    ['answers neither', '', two, /0 of 2 answers/],
    ['hangs up after the first and says so', answer('connection: close\r\n'), two, null],
    ['is silent at what may be no request', '', raw({}), null],
  ])('a server that %s', async (_what, bytes, one, fault) => {
    const server = createSocketServer((socket) => void socket.on('error', () => {}).end(bytes))
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    const address = server.address()
    const port = typeof address === 'object' && address !== null ? address.port : 0
    const tally = new Tally()
    const lenient = { ...surface, anywhere: new Set([200]), codes: new Map() }
    const stage = { port, surface: lenient, tally, nextKey: () => 'key' }
    const performed = perform(stage, new Lane(port), one)
    if (fault === null) {
      await performed
      expect(tally.givenUp).toBe(1)
    } else await expect(performed).rejects.toThrow(fault)
    expect(tally.unsure).toBe(one.owed ? 0 : 1)
    server.close()
  })

  function raw(more: Partial<Case>): Case {
    const known = { what: 'raw', operation: null, method: 'HEAD', target: '', headers: [], body: null }
    return { ...known, expect: null, raw: Buffer.from('GET / HTTP/1.1\r\n\r\n'), ...more }
  }
})

test('the same seed makes the same tokens and the same cases on any day, to the last byte', () => {
  const people = invitePeople(7)
  expect(invitePeople(7)).toEqual(people)
  expect(invitePeople(8).persons[0]?.token).not.toBe(people.persons[0]?.token)
  const sample = () =>
    fc.sample(casesOf(surface, invitePeople(7)), { numRuns: 300, seed: 1 }).map(describeCase)
  expect(sample()).toEqual(sample())
})

test('values of a schema are as the schema says', () => {
  const [operation] = surface.operations.filter(({ body }) => body !== null)
  if (operation?.body == null) throw new Error('nothing takes a body')
  const receiving = readSurface(
    JSON.parse(
      JSON.stringify({
        ...{ info: { description: '' }, components: { schemas: {} } },
        paths: {
          '/': {
            post: {
              responses: {
                200: { description: '', content: { 'application/json': { schema: operation.body } } },
              },
            },
          },
        },
      }),
    ) as Document,
  )
  const holds = receiving.operations[0]?.answers.get(200)?.holds
  const values = fc.sample(valuesOf(operation.body), { numRuns: 500, seed: 1 })
  expect(values.filter((value) => holds?.(JSON.parse(JSON.stringify(value))) !== true)).toEqual([])
  // And not all the same: each optional field is there and is not.
  for (const name of ['requester_name', 'attachment']) {
    expect(new Set(values.map((value) => Object.hasOwn(value as object, name))).size).toBe(2)
  }
})

test('every operation is asked for, and every kind of refusal is provoked', () => {
  const cases = fc.sample(casesOf(surface, invitePeople(1)), { numRuns: 5000, seed: 1 })
  const asked = new Set(cases.map(({ operation }) => operation))
  for (const { name } of surface.operations) expect(asked).toContain(name)
  const expected = new Set(cases.flatMap(({ expect }) => expect ?? []))
  expect([...expected].sort()).toEqual([201, 400, 401, 403, 404, 405, 409, 413, 414, 415, 422, 429, 431])
})

describe('memory', () => {
  const sawtooth = (n: number) => (n % 7) * 5
  const samples = (leak: number) =>
    Array.from({ length: 500 }, (_, n) => ({
      requests: n * 2000,
      mib: 150 + Math.min(n, 100) + sawtooth(n) + (n * 2000 * leak) / 2 ** 20,
    }))

  test('that fills at first and then goes up and down does not grow', () => {
    expect(Math.abs(growthOf(samples(0)).perMillion)).toBeLessThan(2)
  })

  test('of which each request keeps 100 bytes does', () => {
    expect(growthOf(samples(100)).perMillion).toBeGreaterThan(GROWTH_LIMIT)
  })
})

test('docs/proof is written by a million requests, and by no fewer', () => {
  expect(readFuzzOptions({})).toMatchObject({ requests: 1_000_000, out: PROOF_FOLDER })
  expect(readFuzzOptions({ requests: '1000001' }).out).toBe(PROOF_FOLDER)
  expect(readFuzzOptions({ requests: '1000' }).out).toBeNull()
  expect(readFuzzOptions({ short: true }).out).toBeNull()
  expect(readFuzzOptions({ short: true, out: '/elsewhere' }).out).toBe('/elsewhere')
})

test.each([
  [{ requests: '1000', out: PROOF_FOLDER }, '--out: expected another folder than docs/proof'],
  [{ short: true, out: PROOF_FOLDER }, '--out: expected another folder than docs/proof'],
  [{ seed: 'x' }, '--seed: expected a whole number'],
  [{ requests: '-1' }, '--requests: expected a whole number'],
  [{ path: '1:2' }, '--path: expected a --seed beside it'],
  [{ path: 'a', seed: '1' }, '--path: expected numbers with colons between'],
])('an option that is wrong is named: %j', (values, message) => {
  expect(() => readFuzzOptions(values)).toThrow(message)
})
