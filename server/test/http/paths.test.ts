import { afterAll, beforeAll, expect, test } from 'vitest'
import { brandOf, startBellhop, type TestBellhop } from '../bellhop.ts'

let bellhop: TestBellhop
beforeAll(async () => {
  bellhop = await startBellhop({
    brands: (issuer) => [
      brandOf('acme', issuer, { origins: ['https://app.acme.example'] }),
      brandOf('globex', issuer, { origins: ['https://app.globex.example'] }),
    ],
  })
})
afterAll(() => bellhop.stop())

test.each([
  ['POST', '/nope', 'application/json', '{bad', 404, 'not_found'],
  ['POST', '/nope', 'application/json', '', 404, 'not_found'],
  ['POST', '/nope', 'text/plain', 'a=b', 404, 'not_found'],
  ['PUT', '/v1/support/tickets', 'text/plain', 'a=b', 405, 'method_not_allowed'],
  ['DELETE', '/healthz', 'application/json', '{bad', 405, 'method_not_allowed'],
  ['QUERY', '/v1/support/tickets', null, null, 405, 'method_not_allowed'],
  ['QUERY', '/nope', null, null, 404, 'not_found'],
])(
  '%s %s with %s %j: the path is judged before the body',
  async (method, path, type, body, status, error) => {
    const headers: Record<string, string> = type === null ? {} : { 'content-type': type }
    const answer = await bellhop.ask(path, { method, headers, body })
    expect([answer.status, answer.body.error]).toEqual([status, error])
  },
)

test("a brand's answer is not for the browsers of another brand", async () => {
  const from = async (origin: string, brandId: string) =>
    (await bellhop.file({ brand_id: brandId }, { origin })).headers.get('access-control-allow-origin')
  expect(await from('https://app.acme.example', 'acme')).toBe('https://app.acme.example')
  expect(await from('https://app.acme.example', 'globex')).toBeNull()
})

test('a ticket that is read is kept by no cache but the reader’s own, which must ask each time', async () => {
  const { body } = await bellhop.file()
  const read = await bellhop.ask(`/v1/support/tickets/${body.ticket_id}`)
  expect([read.status, read.headers.get('cache-control')]).toEqual([200, 'private, no-cache'])
})

test('one person cannot take every place', async () => {
  const authorization = `Bearer ${await bellhop.issuer.token()}`
  const other = `Bearer ${await bellhop.issuer.token({ sub: 'per_bob' })}`
  // Uploads that never end.
  const abort = new AbortController()
  const uploads = Array.from({ length: 420 }, () => {
    const stream = new ReadableStream({
      start: (controller) => controller.enqueue(Buffer.from('{')),
      pull: () => new Promise(() => {}),
    })
    return fetch(`${bellhop.url}/v1/support/tickets`, {
      method: 'POST',
      headers: { authorization, 'content-type': 'application/json' },
      body: stream,
      duplex: 'half',
      signal: abort.signal,
    } as RequestInit).then(
      ({ status }) => status,
      () => null,
    )
  })
  const first = await Promise.race(uploads)
  expect(first).toBe(503)
  expect((await bellhop.ask('/readyz')).status).toBe(200)
  expect((await bellhop.file({ person_id: 'per_bob' }, { authorization: other })).status).toBe(201)
  abort.abort()
  const refused = (await Promise.all(uploads)).filter((status) => status === 503)
  expect(refused.length).toBeGreaterThanOrEqual(20)
})
