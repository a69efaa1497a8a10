import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { brandOf, startBellhop, type TestBellhop, TICKET } from '../bellhop.ts'

let bellhop: TestBellhop
beforeAll(async () => {
  bellhop = await startBellhop({
    brands: (issuer) => [
      brandOf('acme', issuer, { trustedClients: ['backend'] }),
      brandOf('globex', issuer, { requiredScope: 'write:support-tickets' }),
      brandOf('initech', issuer, { issuers: ['https://login.initech.example'] }),
      brandOf('hooli', issuer, { ticketsPerMinute: 2, personClaim: 'person' }),
    ],
  })
})
afterAll(() => bellhop.stop())

const bearer = async (claims: Record<string, unknown>) => ({
  authorization: `Bearer ${await bellhop.issuer.token(claims)}`,
})

test('a customer files a ticket, gets a receipt, and reads it back', async () => {
  const filed = await bellhop.file()
  expect(filed.status).toBe(201)
  expect(filed.body).toEqual({
    ticket_id: expect.stringMatching(/^tkt_[0-9a-f]{32}$/),
    message_id: expect.stringMatching(/^msg_[0-9a-f]{32}$/),
    status: 'sent',
  })
  const read = await bellhop.ask(`/v1/support/tickets/${filed.body.ticket_id}`)
  expect(read.status).toBe(200)
  expect(read.body).toEqual({
    ticket_id: filed.body.ticket_id,
    brand_id: 'acme',
    person_id: 'per_ada',
    subject: TICKET.subject,
    status: 'open',
    created_at: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/),
    updated_at: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/),
    messages: [
      {
        message_id: filed.body.message_id,
        author: 'customer',
        speaker: { kind: 'customer', name: TICKET.requester_name },
        body: TICKET.body,
        created_at: expect.any(String),
        status: 'sent',
        delivery: {
          state: 'delivered',
          attempts: 0,
          last_attempt_at: null,
          delivered_at: expect.stringMatching(/Z$/),
        },
        attachments: [],
      },
    ],
  })
})

describe('who may not', () => {
  test.each([
    ['no token', {}, 401, 'unauthorized'],
    ['another person', { sub: 'per_eve' }, 403, 'forbidden_person'],
    ["another brand's token", { brand: 'globex' }, 403, 'forbidden_brand'],
    ['a brand claim that is no text', { brand: ['acme'] }, 403, 'forbidden_brand'],
    ['a token without a user', { sub: undefined, client_id: 'unknown' }, 403, 'forbidden_person'],
    ['a client that is its own subject', { sub: 'unknown', client_id: 'unknown' }, 403, 'forbidden_person'],
  ])('%s', async (_who, claims, status, error) => {
    const headers = Object.keys(claims).length === 0 ? { authorization: '' } : await bearer(claims)
    const answer = await bellhop.file({}, headers)
    expect(answer.status).toBe(status)
    expect(answer.body).toEqual({ error, message: expect.any(String) })
  })

  test('a caller without a token is challenged without an error code', async () => {
    const response = await fetch(`${bellhop.url}/v1/support/tickets`, { method: 'POST' })
    expect(response.status).toBe(401)
    expect(response.headers.get('www-authenticate')).toMatch(/^Bearer(?! .*error=)/)
  })

  test('a token of an issuer that does not speak for the brand', async () => {
    const answer = await bellhop.file({ brand_id: 'initech' })
    expect([answer.status, answer.body.error]).toEqual([403, 'forbidden_brand'])
  })

  test('a token without the scope that the brand asks for, which the challenge names', async () => {
    const refused = await bellhop.file({ brand_id: 'globex' })
    expect([refused.status, refused.body.error]).toEqual([403, 'insufficient_scope'])
    expect(refused.headers.get('www-authenticate')).toContain('scope="write:support-tickets"')
    for (const scope of ['openid write:support-tickets', ['write:support-tickets']]) {
      expect((await bellhop.file({ brand_id: 'globex' }, await bearer({ scope }))).status).toBe(201)
    }
  })

  test('a trusted client files for any person of its brand, and of no other', async () => {
    const headers = await bearer({ sub: undefined, client_id: 'backend' })
    expect((await bellhop.file({ person_id: 'per_grace' }, headers)).status).toBe(201)
    const other = await bellhop.file({ brand_id: 'hooli', person_id: 'per_grace' }, headers)
    expect([other.status, other.body.error]).toEqual([403, 'forbidden_person'])
  })

  test('a person claim of another name, missing or of another type, is nobody', async () => {
    for (const person of [undefined, 7, ['per_ada']]) {
      const answer = await bellhop.file({ brand_id: 'hooli' }, await bearer({ person }))
      expect([answer.status, answer.body.error]).toEqual([403, 'forbidden_person'])
    }
  })
})

describe('what is judged first', () => {
  test('the token, before the body is looked at', async () => {
    const answer = await bellhop.ask('/v1/support/tickets', {
      method: 'POST',
      headers: { authorization: 'Bearer x' },
      body: 'x',
    })
    expect(answer.status).toBe(401)
  })

  test('then content type, JSON, schema, brand, brand claim, person, scope', async () => {
    const post = async (body: string, type: string, claims: Record<string, unknown>) => {
      const headers = { ...(await bearer(claims)), 'content-type': type }
      return (await bellhop.ask('/v1/support/tickets', { method: 'POST', headers, body })).body.error
    }
    const wrong = { brand: 'other', sub: 'per_eve' }
    expect(await post('{', 'text/plain', wrong)).toBe('unsupported_media_type')
    expect(await post('{', 'application/json', wrong)).toBe('invalid_json')
    const json = (overrides: object) => JSON.stringify({ ...TICKET, ...overrides })
    expect(await post(json({ brand_id: 'nobody', subject: '' }), 'application/json', wrong)).toBe(
      'validation_error',
    )
    expect(await post(json({ brand_id: 'nobody' }), 'application/json', wrong)).toBe('unknown_brand')
    expect(await post(json({ brand_id: 'globex' }), 'application/json', wrong)).toBe('forbidden_brand')
    expect(await post(json({ brand_id: 'globex' }), 'application/json', { sub: 'per_eve' })).toBe(
      'forbidden_person',
    )
    expect(await post(json({ brand_id: 'globex' }), 'application/json', {})).toBe('insufficient_scope')
  })
})

test('a person who files too much is told when to come back', async () => {
  const headers = await bearer({ person: 'per_ada' })
  const first = await bellhop.file({ brand_id: 'hooli' }, headers)
  expect(first.status).toBe(201)
  expect(first.headers.get('ratelimit-limit')).toBe('2')
  expect(first.headers.get('ratelimit-remaining')).toBe('1')
  expect((await bellhop.file({ brand_id: 'hooli' }, headers)).status).toBe(201)
  const third = await bellhop.file({ brand_id: 'hooli' }, headers)
  expect([third.status, third.body.error]).toEqual([429, 'rate_limited'])
  expect(Number(third.headers.get('retry-after'))).toBeGreaterThan(0)
  const other = await bellhop.file(
    { brand_id: 'hooli', person_id: 'per_bob' },
    await bearer({ person: 'per_bob' }),
  )
  expect(other.status).toBe(201)
})

describe("somebody else's ticket and one that is not there look the same", () => {
  test('to persons, other brands, and clients that are not trusted', async () => {
    const { body } = await bellhop.file()
    const path = `/v1/support/tickets/${body.ticket_id}`
    const callers = [
      await bearer({ sub: 'per_eve' }),
      await bearer({ brand: 'globex' }),
      await bearer({ sub: undefined, client_id: 'unknown' }),
    ]
    const missing = await bellhop.ask(`/v1/support/tickets/tkt_${'0'.repeat(32)}`)
    expect([missing.status, missing.body.error]).toEqual([404, 'not_found'])
    for (const headers of callers) {
      const answer = await bellhop.ask(path, { headers })
      expect([answer.status, answer.text]).toEqual([404, missing.text])
    }
    for (const id of ['tkt_', 'msg_0', '%00', `tkt_${'g'.repeat(32)}`, "'--"]) {
      const answer = await bellhop.ask(`/v1/support/tickets/${id}`)
      expect([answer.status, answer.text]).toEqual([404, missing.text])
    }
    const trusted = await bellhop.ask(path, {
      headers: await bearer({ sub: 'backend', client_id: 'backend' }),
    })
    expect(trusted.status).toBe(200)
  })
})

describe('what HTTP and the paths refuse', () => {
  test.each([
    ['GET', '/nowhere', 404, 'not_found', null],
    ['POST', '/v1/support/tickets/tkt_1', 405, 'method_not_allowed', 'GET, HEAD, PATCH'],
    ['DELETE', '/v1/support/tickets', 405, 'method_not_allowed', 'GET, HEAD, POST'],
    ['OPTIONS', '/v1/support/tickets', 405, 'method_not_allowed', 'GET, HEAD, POST'],
    ['GET', '/v1/support/tickets/tkt_1/messages', 405, 'method_not_allowed', 'POST'],
    ['PROPFIND', '/healthz', 405, 'method_not_allowed', 'GET, HEAD'],
    ['GET', '/%', 400, 'bad_request', null],
    ['GET', `/${'a'.repeat(9000)}`, 414, 'uri_too_long', null],
  ])('%s %s', async (method, path, status, error, allow) => {
    const answer = await bellhop.ask(path, { method })
    expect(answer.status).toBe(status)
    expect(answer.body).toEqual({ error, message: expect.any(String) })
    expect(answer.headers.get('allow')).toBe(allow)
    expect(answer.headers.get('content-type')).toContain('application/json')
  })
})
