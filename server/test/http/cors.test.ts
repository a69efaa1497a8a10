import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { brandOf, startBellhop, type TestBellhop } from '../bellhop.ts'
import { headOf, type RawAnswer, sayRaw } from './raw-http.ts'

const TICKETS = '/v1/support/tickets'
const ACME = 'https://app.acme.example'
const GLOBEX = 'https://app.globex.example:8443'

let bellhop: TestBellhop
let plain: TestBellhop
beforeAll(async () => {
  bellhop = await startBellhop({
    brands: (issuer) => [
      brandOf('acme', issuer, { origins: [ACME, 'http://localhost:3000'] }),
      brandOf('globex', issuer, { origins: [GLOBEX] }),
    ],
  })
  plain = await startBellhop({ beside: bellhop })
})
afterAll(async () => {
  await plain.stop()
  await bellhop.stop()
})

const preflight = (origin: string, of = bellhop) =>
  sayRaw(
    of.url,
    headOf('OPTIONS', TICKETS, {
      origin,
      'access-control-request-method': 'POST',
      'access-control-request-headers': 'authorization,content-type,idempotency-key',
    }),
  )
const accessHeaders = ({ headers }: RawAnswer) =>
  Object.keys(headers).filter((name) => name.startsWith('access-control-'))

describe('a browser with a form of a brand', () => {
  test.each([ACME, GLOBEX, 'http://localhost:3000'])('at %s is let in', async (origin) => {
    const answer = await preflight(origin)
    expect(answer.status).toBe(204)
    expect(answer.headers['access-control-allow-origin']).toBe(origin)
    expect(answer.headers['access-control-allow-methods']?.split(', ')).toContain('POST')
    expect(answer.headers['access-control-allow-headers']?.split(', ')).toEqual(
      expect.arrayContaining(['authorization', 'content-type', 'idempotency-key']),
    )
    expect(answer.headers.vary).toContain('Origin')
  })

  test('reads the answer and what goes with it, the refusals too', async () => {
    const filed = await bellhop.file({}, { origin: ACME })
    expect(filed.status).toBe(201)
    const refused = await bellhop.file({}, { origin: ACME, authorization: 'Bearer x' })
    expect(refused.status).toBe(401)
    for (const { headers } of [filed, refused]) {
      expect(headers.get('access-control-allow-origin')).toBe(ACME)
      expect(headers.get('access-control-expose-headers')).toContain('idempotency-replayed')
      expect(headers.get('access-control-expose-headers')).toContain('retry-after')
    }
  })

  test('sends no cookies', async () => {
    expect(accessHeaders(await preflight(ACME))).not.toContain('access-control-allow-credentials')
    const filed = await bellhop.file({}, { origin: ACME, cookie: 'a=b' })
    expect(filed.headers.has('access-control-allow-credentials')).toBe(false)
    expect(filed.headers.has('set-cookie')).toBe(false)
  })
})

test.each([
  'https://evil.example',
  'null',
  '*',
  `${ACME}.evil.example`,
  `${ACME}:8443`,
  ACME.replace('https', 'http'),
  ACME.toUpperCase(),
  `${ACME}/`,
  `${ACME}, ${GLOBEX}`,
  `${ACME}\tset-cookie: a=b`,
])('a browser at %j finds nothing that lets it in', async (origin) => {
  const answer = await preflight(origin)
  expect([answer.status, answer.body.error]).toEqual([405, 'method_not_allowed'])
  expect(accessHeaders(answer)).toEqual([])
  const get = await sayRaw(bellhop.url, headOf('GET', '/healthz', { origin }))
  expect(accessHeaders(get)).toEqual([])
  expect(JSON.stringify([answer, get])).not.toContain('evil')
  expect(get.headers.vary).toContain('Origin')
})

test('a preflight for a path that is not there finds nothing there', async () => {
  const answer = await sayRaw(
    bellhop.url,
    headOf('OPTIONS', '/nowhere', { origin: ACME, 'access-control-request-method': 'POST' }),
  )
  expect([answer.status, answer.body.error]).toEqual([404, 'not_found'])
  expect(accessHeaders(answer)).not.toContain('access-control-allow-methods')
})

test('without origins in the brands file, no browser is let in', async () => {
  const answer = await preflight(ACME, plain)
  expect([answer.status, accessHeaders(answer)]).toEqual([405, []])
  expect((await plain.file({}, { origin: ACME })).headers.has('access-control-allow-origin')).toBe(false)
})

test.each([
  ['a line break and a header', `${ACME}\r\nset-cookie: a=b`],
  ['a lone line feed and a header', `${ACME}\nset-cookie: a=b`],
  ['a folded header', `${ACME}\r\n set-cookie: a=b`],
])('nothing of a request becomes a header of the answer: an Origin with %s', async (_what, origin) => {
  const answer = await preflight(origin)
  expect(answer.headers['set-cookie']).toBeUndefined()
})
