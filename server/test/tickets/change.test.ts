import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type Answer, brandOf, startBellhop, type TestBellhop } from '../bellhop.ts'
import { type Speaking, speakingAt, uuidOf } from './speaking.ts'

let bellhop: TestBellhop
let beside: TestBellhop
let speaking: Speaking
beforeAll(async () => {
  const brands: NonNullable<Parameters<typeof startBellhop>[0]>['brands'] = (issuer) => [
    brandOf('acme', issuer, { trustedClients: ['backend'] }),
    brandOf('globex', issuer, { requiredScope: 'write' }),
    brandOf('hooli', issuer, { ticketsPerMinute: 2 }),
  ]
  bellhop = await startBellhop({ brands })
  beside = await startBellhop({ brands, beside: bellhop })
  speaking = speakingAt(bellhop, ['acme', 'globex', 'hooli'])
})
afterAll(async () => {
  await beside.stop()
  await bellhop.stop()
})

const bearer = async (claims: Record<string, unknown>) => ({
  authorization: `Bearer ${await bellhop.issuer.token(claims)}`,
})
const open = async (brand = 'acme', headers = {}) =>
  String((await bellhop.file({ brand_id: brand }, headers)).body.ticket_id)
const change = (ticket: string, body: unknown, headers = {}, at = bellhop) =>
  at.ask(`/v1/support/tickets/${ticket}`, {
    method: 'PATCH',
    headers: { 'content-type': 'application/json', ...headers },
    body: typeof body === 'string' ? body : JSON.stringify(body),
  })
const solve = (ticket: string, headers = {}, at = bellhop) =>
  change(ticket, { status: 'solved' }, headers, at)
const read = async (ticket: string) => (await bellhop.ask(`/v1/support/tickets/${ticket}`)).body
const entriesOf = (ticket: string) => bellhop.sql`
  SELECT actor, actor_id, status FROM audit_entries
  WHERE ticket_id = ${uuidOf('tkt', ticket)} AND action = 'ticket.status' ORDER BY id`
const refusal = ({ status, body }: Answer) => [status, body.error]

describe('a customer has their own say', () => {
  test('it is solved, and it is not', async () => {
    const ticket = await open()
    const { messages, ...before } = await read(ticket)
    const solved = await solve(ticket)
    expect(solved.status).toBe(200)
    expect(solved.body).toEqual({ ...before, status: 'solved', updated_at: expect.any(String) })
    expect(Date.parse(String(solved.body.updated_at))).toBeGreaterThan(Date.parse(String(before.updated_at)))
    expect(await read(ticket)).toEqual({ ...solved.body, messages })
    expect((await change(ticket, { status: 'open' })).body.status).toBe('open')
    expect(await entriesOf(ticket)).toEqual([
      { actor: 'person', actor_id: null, status: 'solved' },
      { actor: 'person', actor_id: null, status: 'open' },
    ])
  })

  test('the status that it has already is no change, and nothing is written down', async () => {
    const ticket = await open()
    const before = await read(ticket)
    const same = await change(ticket, { status: 'open' })
    expect([same.status, same.body.updated_at]).toEqual([200, before.updated_at])
    expect(await entriesOf(ticket)).toEqual([])
    await speaking.setStatus(ticket, 'pending')
    expect((await change(ticket, { status: 'open' })).body.status).toBe('open')
  })

  test('a closed ticket stays closed', async () => {
    const ticket = await open()
    await speaking.setStatus(ticket, 'closed')
    for (const status of ['open', 'solved'])
      expect(refusal(await change(ticket, { status }))).toEqual([409, 'ticket_closed'])
  })

  test('a trusted client speaks for them', async () => {
    const ticket = await open()
    const answer = await solve(ticket, await bearer({ sub: undefined, client_id: 'backend' }))
    expect([answer.status, answer.body.person_id]).toEqual([200, 'per_ada'])
    expect(await entriesOf(ticket)).toEqual([{ actor: 'client', actor_id: 'backend', status: 'solved' }])
  })
})

describe('what is refused', () => {
  test.each([
    {},
    [],
    { status: 'closed' },
    { status: 'pending' },
    { status: 'OPEN' },
    { status: 7 },
    { status: null },
  ])('%j', async (body) => {
    const ticket = await open()
    const answer = await change(ticket, body)
    expect(refusal(answer)).toEqual([400, 'validation_error'])
    expect((await read(ticket)).status).toBe('open')
  })

  test('the token, content type, JSON, schema, ticket, scope, number, in this order', async () => {
    const ticket = await open('globex', await bearer({ scope: 'write' }))
    const wrong = await bearer({ sub: 'per_eve' })
    expect(refusal(await change(ticket, '{', { authorization: 'Bearer x' }))).toEqual([401, 'unauthorized'])
    expect(refusal(await change(ticket, '{', { ...wrong, 'content-type': 'a/b' }))[0]).toBe(415)
    expect(refusal(await change(ticket, '{', wrong))).toEqual([400, 'invalid_json'])
    expect(refusal(await change(ticket, {}, wrong))).toEqual([400, 'validation_error'])
    expect(refusal(await solve(ticket, wrong))).toEqual([404, 'not_found'])
    expect(refusal(await solve(ticket))).toEqual([403, 'insufficient_scope'])
  })

  test('too many in a minute', async () => {
    const ticket = await open('hooli')
    expect((await solve(ticket)).status).toBe(200)
    expect(refusal(await solve(ticket))).toEqual([429, 'rate_limited'])
  })
})

describe('a retry is safe', () => {
  test('the same key does it once, and answers with the ticket as it is by then', async () => {
    const ticket = await open()
    const once = { 'idempotency-key': 'solve' }
    const first = await solve(ticket, once)
    expect([first.status, first.headers.get('idempotency-replayed')]).toEqual([200, null])
    await speaking.setStatus(ticket, 'open')
    for (const at of [bellhop, beside]) {
      const again = await solve(ticket, once, at)
      expect([again.status, again.body.status, again.headers.get('idempotency-replayed')]).toEqual([
        200,
        'open',
        'true',
      ])
    }
    const mismatch = [422, 'idempotency_mismatch']
    expect(refusal(await change(ticket, { status: 'open' }, once))).toEqual(mismatch)
    expect(refusal(await solve(await open(), once))).toEqual(mismatch)
    expect(refusal(await bellhop.file({}, once))).toEqual(mismatch)
    await speaking.setStatus(ticket, 'closed')
    expect((await solve(ticket, once)).body.status).toBe('closed')
  })

  test('at once, in two processes', async () => {
    const ticket = await open()
    const once = { 'idempotency-key': 'solve at once'.replaceAll(' ', '-') }
    const answers = await Promise.all(
      Array.from({ length: 10 }, (_, index) => solve(ticket, once, index % 2 ? beside : bellhop)),
    )
    expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([200]))
    expect(answers.filter(({ headers }) => headers.get('idempotency-replayed') === null)).toHaveLength(1)
    expect(await entriesOf(ticket)).toHaveLength(1)
  })
})
