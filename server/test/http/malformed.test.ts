import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { startBellhop, type TestBellhop, TICKET } from '../bellhop.ts'
import { headOf, openRaw, type RawAnswer, sayRaw } from './raw-http.ts'

const TICKETS = '/v1/support/tickets'

let bellhop: TestBellhop
let authorization: string
beforeAll(async () => {
  bellhop = await startBellhop({ timeouts: { headers: 300, request: 600, checkEvery: 50 } })
  authorization = `Bearer ${await bellhop.issuer.token()}`
})
afterAll(() => bellhop.stop())

/** The body of every error: `{error, message}` and nothing else. */
function expectError(answer: RawAnswer, status: number, error: string): void {
  expect(answer.body).toEqual({ error, message: expect.stringMatching(/^[A-Z].*\.$/) })
  expect(answer.status).toBe(status)
  expect(answer.headers['content-type']).toBe('application/json; charset=utf-8')
}

describe('what is not HTTP is answered all the same', () => {
  test.each([
    ['a greeting of another protocol', 'EHLO example.com\r\n\r\n'],
    ['the first bytes of TLS', Buffer.from([0x16, 3, 1, 0, 5, 1, 0, 0, 1, 0])],
    ['a version that there is not', 'GET / HTTP/9.9\r\nhost: a\r\n\r\n'],
    ['a header without a colon', 'GET / HTTP/1.1\r\nhost\r\n\r\n'],
    ['a header name with a space', 'GET / HTTP/1.1\r\nhost: a\r\nx y: b\r\n\r\n'],
    ['a folded header', 'GET / HTTP/1.1\r\nhost: a\r\n b\r\n\r\n'],
    ['NUL in a header', 'GET / HTTP/1.1\r\nhost: a\0b\r\n\r\n'],
    ['two lengths', headOf('POST', TICKETS, { 'content-length': ['1', '2'] })],
    [
      'a length and chunks',
      headOf('POST', TICKETS, { 'content-length': '3', 'transfer-encoding': 'chunked' }),
    ],
    ['a length that is no number', headOf('POST', TICKETS, { 'content-length': '1e3' })],
    ['a length below nothing', headOf('POST', TICKETS, { 'content-length': '-1' })],
    ['an unknown transfer encoding', headOf('POST', TICKETS, { 'transfer-encoding': 'chunked, x' })],
    ['no Host', headOf('GET', '/healthz', { host: undefined })],
    ['two Hosts', headOf('GET', '/healthz', { host: ['a', 'b'] })],
    ['a Host of two words', headOf('GET', '/healthz', { host: 'a b' })],
    ['a Host with a path', headOf('GET', '/healthz', { host: 'a/b' })],
    ['a Host with a user', headOf('GET', '/healthz', { host: 'a@b' })],
    ['a Host whose port is a word', headOf('GET', '/healthz', { host: 'a:b' })],
    ['a Host whose bracket stays open', headOf('GET', '/healthz', { host: '[::1' })],
    ['a tunnel through us', headOf('CONNECT', 'example.com:443')],
  ])('%s', async (_what, bytes) => {
    expectError(await sayRaw(bellhop.url, bytes), 400, 'bad_request')
  })

  test('a chunk without a length', async () => {
    const headers = { authorization, 'content-type': 'application/json', 'transfer-encoding': 'chunked' }
    const answer = await sayRaw(bellhop.url, `${headOf('POST', TICKETS, headers)}zz\r\n`)
    expectError(answer, 400, 'bad_request')
  })

  test('and the server has not suffered', async () => {
    expect((await bellhop.file()).status).toBe(201)
  })
})

describe('too much before the body', () => {
  const long = 'a'.repeat(20_000)
  test('headers over 16 KiB', async () => {
    for (const headers of [
      { cookie: long },
      Object.fromEntries(Array.from({ length: 40 }, (_, i) => [`x-${i}`, 'a'.repeat(500)])),
    ]) {
      expectError(await sayRaw(bellhop.url, headOf('GET', '/healthz', headers)), 431, 'headers_too_large')
    }
  })

  test('headers over 16 KiB that come in pieces', async () => {
    const connection = await openRaw(bellhop.url)
    const head = headOf('GET', '/healthz', { cookie: long })
    // What comes with a whole request has been read when that is answered.
    connection.write(headOf('GET', '/healthz') + head.slice(0, 9000))
    expect((await connection.answer()).status).toBe(200)
    connection.write(head.slice(9000))
    expectError(await connection.answer(), 431, 'headers_too_large')
    await connection.closed
  })

  test('a path that is longer than all headers may be', async () => {
    expectError(await sayRaw(bellhop.url, headOf('GET', `/${long}`)), 414, 'uri_too_long')
    expectError(await sayRaw(bellhop.url, headOf('GET', `/${'a'.repeat(100_000)}`)), 414, 'uri_too_long')
  })

  test('a path that is longer than all headers may be, behind another request', async () => {
    const connection = await openRaw(bellhop.url)
    connection.write(headOf('GET', '/healthz'))
    expect((await connection.answer()).status).toBe(200)
    connection.write(headOf('GET', `/${long}`))
    expectError(await connection.answer(), 414, 'uri_too_long')
    await connection.closed
  })

  test('a path that is too long while the headers are not', async () => {
    const answer = await sayRaw(bellhop.url, headOf('GET', `/${'a'.repeat(9000)}`))
    expectError(answer, 414, 'uri_too_long')
    expect(answer.headers['x-request-id']).toMatch(/^[0-9a-f]{32}$/)
  })

  test('headers of almost 16 KiB are read', async () => {
    const answer = await sayRaw(bellhop.url, headOf('GET', '/healthz', { cookie: 'a'.repeat(15_000) }))
    expect(answer.status).toBe(200)
  })
})

describe('a request that never ends', () => {
  test('in its headers', async () => {
    const connection = await openRaw(bellhop.url)
    connection.write(`POST ${TICKETS} HTTP/1.1\r\nhost: a\r\n`)
    expectError(await connection.answer(), 408, 'request_timeout')
    await connection.closed
  })

  test('in its body', async () => {
    const connection = await openRaw(bellhop.url)
    const headers = { authorization, 'content-type': 'application/json', 'content-length': 100 }
    connection.write(`${headOf('POST', TICKETS, headers)}{"brand_id":`)
    expectError(await connection.answer(), 408, 'request_timeout')
    await connection.closed
    expect(await bellhop.sql`SELECT FROM tickets WHERE person_id = ''`).toHaveLength(0)
  })
})

describe('a request that says that it asks first', () => {
  const body = JSON.stringify(TICKET)
  const headers = (more: object) =>
    headOf('POST', TICKETS, {
      authorization,
      'content-type': 'application/json',
      'content-length': Buffer.byteLength(body),
      expect: '100-continue',
      ...more,
    })

  test('is invited, and its ticket filed', async () => {
    const connection = await openRaw(bellhop.url)
    connection.write(headers({}))
    expect((await connection.answer()).status).toBe(100)
    connection.write(body)
    expect((await connection.answer()).status).toBe(201)
    connection.socket.destroy()
  })

  test.each([
    ['without a token', { authorization: undefined }, 401],
    ['with the wrong type', { 'content-type': 'text/plain' }, 415],
    ['too large', { 'content-length': 30_000_000 }, 413],
  ])('is refused uninvited %s', async (_what, more, status) => {
    const connection = await openRaw(bellhop.url)
    connection.write(headers(more))
    expect((await connection.answer()).status).toBe(status)
    expect(connection.received()).not.toContain('100 Continue')
    connection.socket.destroy()
  })

  test('and one that expects something else is answered as if it did not', async () => {
    const answer = await sayRaw(bellhop.url, headers({ expect: 'a miracle' }) + body)
    expect(answer.status).toBe(201)
  })
})

describe('HEAD', () => {
  test.each([
    ['/healthz', 200],
    ['/readyz', 200],
    ['/openapi.json', 200],
    ['/nowhere', 404],
    [TICKETS, 401],
    [`${TICKETS}/tkt_0/messages`, 405],
  ])('%s has the status of GET and no body', async (path, status) => {
    const connection = await openRaw(bellhop.url)
    connection.write(headOf('HEAD', path))
    const head = await connection.answer({ head: true })
    connection.write(headOf('GET', path, { connection: 'close' }))
    const get = await connection.answer()
    await connection.closed
    expect([head.status, get.status]).toEqual([status, status])
    expect(head.headers['content-type']).toBe(get.headers['content-type'])
    expect(head.headers['x-request-id']).toMatch(/^[0-9a-f]{32}$/)
  })
})

test.each([
  '',
  'a',
  'a:',
  'localhost:8080',
  'under_score.example',
  '%C3%A9.example',
  '[::1]:8080',
  '127.0.0.1',
])('the Host %j is one', async (host) => {
  const answer = await sayRaw(bellhop.url, headOf('GET', '/healthz', { host, connection: 'close' }))
  expect(answer.status).toBe(200)
})

test.each(['', ' ', 'a b', 'localhost:99999', '[::1', 'http://evil.example', 'a/b', '%', '@'])(
  'the API page with the Host %j is a page or a plain refusal',
  async (host) => {
    for (const path of ['/docs', '/docs/']) {
      const answer = await sayRaw(bellhop.url, headOf('GET', path, { host, connection: 'close' }))
      expect(answer.status).toBeLessThan(500)
      expect(answer.headers.location ?? '').not.toContain('evil')
    }
  },
)

test('requests one behind the other on a connection are answered in their order', async () => {
  const connection = await openRaw(bellhop.url)
  const paths = ['/healthz', '/nowhere', `${TICKETS}/tkt_0/messages`, '/healthz']
  connection.write(paths.map((path) => headOf('GET', path)).join(''))
  const statuses: number[] = []
  for (const _ of paths) statuses.push((await connection.answer()).status)
  expect(statuses).toEqual([200, 404, 405, 200])
  connection.socket.destroy()
})

test('every request that was understood has an id of its own in its answer', async () => {
  const asked = [
    headOf('GET', '/healthz'),
    headOf('GET', '/nowhere'),
    headOf('GET', '/%'),
    headOf('POST', '/healthz'),
    headOf('POST', TICKETS),
    headOf('POST', TICKETS, { authorization, 'content-length': 1 }).concat('{'),
    headOf('POST', TICKETS, {
      authorization,
      'content-type': 'application/json',
      'content-length': 1,
    }).concat('{'),
  ]
  const ids: (string | undefined)[] = []
  for (const bytes of asked) ids.push((await sayRaw(bellhop.url, bytes)).headers['x-request-id'])
  for (const id of ids) expect(id).toMatch(/^[0-9a-f]{32}$/)
  expect(new Set(ids).size).toBe(asked.length)
})
