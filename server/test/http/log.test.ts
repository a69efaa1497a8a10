import { rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { startBellhop, type TestBellhop } from '../bellhop.ts'
import { headOf, sayRaw } from './raw-http.ts'

const TICKETS = '/v1/support/tickets'
const CANARY = 'c4nary'

let bellhop: TestBellhop
beforeAll(async () => {
  bellhop = await startBellhop()
})
afterAll(() => bellhop.stop())

const lines = () =>
  bellhop
    .logged()
    .split('\n')
    .filter((line) => line !== '')
    .map((line): Record<string, unknown> => JSON.parse(line))

/** A word that must not be found again, wherever a caller can put one. */
const everywhere = {
  person_id: `per_${CANARY}`,
  requester_email: `${CANARY}@${CANARY}.example`,
  requester_name: CANARY,
  subject: CANARY,
  body: CANARY,
  attachment: {
    filename: CANARY,
    content_base64: Buffer.from(CANARY).toString('base64'),
    content_type: `text/${CANARY}`,
  },
  [CANARY]: CANARY,
}
const headersOf = async (more: Record<string, string> = {}) => ({
  authorization: `Bearer ${await bellhop.issuer.token({ sub: `per_${CANARY}`, [CANARY]: CANARY })}`,
  'idempotency-key': `${CANARY}-${Math.random()}`,
  'user-agent': CANARY,
  'x-forwarded-for': CANARY,
  cookie: `${CANARY}=${CANARY}`,
  referer: `https://${CANARY}.example`,
  traceparent: `00-${CANARY}-1-1`,
  tracestate: `${CANARY}=${CANARY}`,
  ...more,
})

test('no log line holds a word of a caller, whatever becomes of the request', async () => {
  const headers = await headersOf()
  const post = async (change: object, more: Record<string, string> = {}) =>
    (await bellhop.file({ ...everywhere, ...change }, await headersOf(more))).status
  const ask = async (path: string, init: RequestInit = {}) =>
    (await bellhop.ask(path, { headers, ...init })).status

  const filed = await bellhop.file(everywhere, headers)
  expect(filed.status).toBe(201)
  expect(await ask(`${TICKETS}/${filed.body.ticket_id}?${CANARY}=${CANARY}`)).toBe(200)
  expect((await bellhop.file(everywhere, headers)).headers.get('idempotency-replayed')).toBe('true')
  expect((await bellhop.file({ ...everywhere, subject: `${CANARY}2` }, headers)).status).toBe(422)
  expect(await post({ requester_email: CANARY })).toBe(400)
  expect(await post({ brand_id: CANARY })).toBe(400)
  expect(await post({ attachment: { filename: CANARY, content_base64: `${CANARY}!` } })).toBe(400)
  expect(await post({}, { 'idempotency-key': `${CANARY} ${CANARY}` })).toBe(400)
  expect(await post({}, { authorization: `Bearer ${CANARY}` })).toBe(401)
  expect(await post({}, { authorization: `Basic ${CANARY}` })).toBe(401)
  expect(await post({ person_id: CANARY })).toBe(403)
  expect(await post({}, { 'content-type': `text/${CANARY}` })).toBe(415)
  expect(await ask(`/${CANARY}?${CANARY}`)).toBe(404)
  expect(await ask(`${TICKETS}/${CANARY}`)).toBe(404)
  expect(await ask(`/%${CANARY}`)).toBe(400)
  expect(await ask(`${TICKETS}?${CANARY}`, { method: 'DELETE' })).toBe(405)
  expect((await sayRaw(bellhop.url, `${CANARY}\r\n\r\n`)).status).toBe(400)
  expect((await sayRaw(bellhop.url, headOf('GET', `/${CANARY.repeat(3000)}`))).status).toBe(414)
  const broken = { ...headers, 'content-type': 'application/json' }
  expect(await ask(TICKETS, { method: 'POST', headers: broken, body: `{${CANARY}` })).toBe(400)

  // The database's own message quotes the row, and the disk's the path.
  await bellhop.sql`ALTER TABLE tickets ADD CONSTRAINT trap CHECK (subject NOT LIKE 'c4nary%') NOT VALID`
  expect(await post({})).toBe(500)
  await bellhop.sql`ALTER TABLE tickets DROP CONSTRAINT trap`
  const folder = join(bellhop.dataDir, 'blobs')
  await rm(folder, { recursive: true })
  await writeFile(folder, '')
  expect(await post({})).toBe(503)
  await rm(folder)
  expect(await post({})).toBe(201)

  await expect
    .poll(() => lines().filter(({ event }) => event === 'request').length)
    .toBeGreaterThanOrEqual(20)
  expect(bellhop.logged()).not.toContain(CANARY)
  expect(bellhop.logged().toLowerCase()).not.toContain(Buffer.from(CANARY).toString('base64').toLowerCase())
  expect(bellhop.logged()).not.toContain('authorization')
  expect(bellhop.logged()).not.toContain('eyJ')
})

test('a request is one line: what was asked, what was answered, and which ticket it became', async () => {
  const filed = await bellhop.file()
  const id = filed.headers.get('x-request-id')
  await expect.poll(() => lines().filter(({ req_id }) => req_id === id)).toHaveLength(1)
  expect(lines().find(({ req_id }) => req_id === id)).toEqual({
    level: 30,
    time: expect.any(Number),
    event: 'request',
    req_id: id,
    method: 'POST',
    route: TICKETS,
    status: 201,
    ms: expect.any(Number),
    brand_id: 'acme',
    ticket_id: filed.body.ticket_id,
  })
})

test('a refusal says its code, and a fault where it came from', async () => {
  const refused = await bellhop.file({ person_id: 'per_eve' })
  const ofRefused = () => lines().filter(({ req_id }) => req_id === refused.headers.get('x-request-id'))
  await expect.poll(ofRefused).toHaveLength(1)
  expect(ofRefused()).toMatchObject([{ status: 403, code: 'forbidden_person' }])

  await bellhop.sql`ALTER TABLE tickets ADD CONSTRAINT trap CHECK (subject <> 'trapped')`
  const failed = await bellhop.file({ subject: 'trapped' })
  await bellhop.sql`ALTER TABLE tickets DROP CONSTRAINT trap`
  expect(failed.body).toEqual({ error: 'internal_error', message: expect.not.stringContaining('trap') })
  const ofFailed = () => lines().filter(({ req_id }) => req_id === failed.headers.get('x-request-id'))
  await expect.poll(ofFailed).toHaveLength(2)
  expect(ofFailed()).toMatchObject([
    { event: 'internal_error', level: 50, cause: { code: '23514', constraint: 'trap' } },
    { event: 'request', status: 500, code: 'internal_error' },
  ])
})

test('a path that is none is a request like any other', async () => {
  const refused = await bellhop.ask('/%')
  const ofRefused = () => lines().filter(({ req_id }) => req_id === refused.headers.get('x-request-id'))
  await expect.poll(ofRefused).toMatchObject([{ status: 400, route: 'unknown', code: 'bad_request' }])
})
