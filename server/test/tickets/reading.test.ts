import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { brandOf, startBellhop, type TestBellhop } from '../bellhop.ts'
import { type Speaking, speakingAt, uuidOf } from './speaking.ts'

const ACME = 'https://app.acme.example'
const GLOBEX = 'https://app.globex.example'

let bellhop: TestBellhop
let speaking: Speaking
beforeAll(async () => {
  bellhop = await startBellhop({
    brands: (issuer) => [
      brandOf('acme', issuer, { origins: [ACME] }),
      brandOf('globex', issuer, { origins: [GLOBEX] }),
    ],
  })
  speaking = speakingAt(bellhop)
})
afterAll(() => bellhop.stop())

const open = async () => String((await bellhop.file()).body.ticket_id)
const read = (ticket: string, headers = {}) => bellhop.ask(`/v1/support/tickets/${ticket}`, { headers })
type Told = { author: string; speaker: object; status: string; delivery: object | null; body: string }
const messagesOf = async (ticket: string) => (await read(ticket)).body.messages as Told[]

describe('who asks again is spared what they have', () => {
  test('until anything that it shows has changed', async () => {
    const ticket = await open()
    const first = await read(ticket)
    expect(first.headers.get('cache-control')).toBe('private, no-cache')
    const etag = first.headers.get('etag') ?? ''
    expect(etag).toMatch(/^"[\w-]+"$/)
    const known = await read(ticket, { 'if-none-match': etag })
    expect([known.status, known.text, known.headers.get('etag')]).toEqual([304, '', etag])
    expect((await read(ticket, { 'if-none-match': `"a", W/${etag}` })).status).toBe(304)

    let last = etag
    for (const change of [
      () => speaking.say(ticket),
      () => speaking.setStatus(ticket, 'pending'),
      () => bellhop.sql`
        UPDATE deliveries SET attempts = 3 WHERE message_id = (
          SELECT id FROM messages WHERE ticket_id = ${uuidOf('tkt', ticket)} ORDER BY id LIMIT 1)`,
    ]) {
      await change()
      const now = await read(ticket, { 'if-none-match': last })
      expect(now.status).toBe(200)
      expect(now.headers.get('etag')).not.toBe(last)
      last = now.headers.get('etag') ?? ''
    }
  })

  test('a tag of one ticket is none of another, and a refusal has none', async () => {
    const etag = (await read(await open())).headers.get('etag') ?? ''
    expect((await read(await open(), { 'if-none-match': etag })).status).toBe(200)
    const missing = await read(`tkt_${'0'.repeat(32)}`, { 'if-none-match': '*' })
    expect([missing.status, missing.headers.get('etag'), missing.headers.get('cache-control')]).toEqual([
      404,
      null,
      'no-store',
    ])
  })
})

describe('who said it', () => {
  test.each([
    ['agent', 'agent', 'Grace'],
    ['participant', 'customer', 'Bob'],
    ['system', 'agent', null],
  ] as const)('a %s stands on the %s’s side', async (author, side, name) => {
    const ticket = await open()
    await speaking.say(ticket, { author, authorName: name, body: 'Said.' })
    expect((await messagesOf(ticket))[1]).toMatchObject({
      author: side,
      speaker: { kind: author, name },
      body: 'Said.',
    })
  })
})

describe('the receipt of an answer', () => {
  /** A delivery of a message to an address, as the mail to customers has it. */
  const carry = (message: string, recipient: string, state: string, more: Record<string, unknown> = {}) =>
    bellhop.sql`INSERT INTO deliveries ${bellhop.sql({
      brand_id: 'acme',
      id: uuidOf('msg', message).replace(/^.{8}/, recipient.startsWith('ada') ? '00000002' : '00000001'),
      message_id: uuidOf('msg', message),
      side: 'customer',
      kind: 'message',
      recipient,
      connector: 'mail',
      state,
      finished_at: state === 'pending' ? null : new Date('2026-05-05T10:00:00Z'),
      ...more,
    })}`

  test.each([
    ['pending', {}, 'requested', 'pending', null],
    ['delivered', {}, 'sent', 'delivered', '2026-05-05T10:00:00.000Z'],
    ['rejected', {}, 'rejected', 'rejected', null],
    ['dead', {}, 'requested', 'dead', null],
    ['delivered', { bounced_at: new Date() }, 'rejected', 'bounced', '2026-05-05T10:00:00.000Z'],
  ])('%s %j is %s', async (state, more, status, shown, deliveredAt) => {
    const ticket = await open()
    const message = await speaking.say(ticket)
    await bellhop.sql`
      INSERT INTO participants (brand_id, ticket_id, address) VALUES ('acme', ${uuidOf('tkt', ticket)}, 'bob@example.com')`
    await carry(message, 'bob@example.com', 'rejected')
    await carry(message, 'ada@example.com', state, { attempts: 2, ...more })
    await bellhop.sql`
      INSERT INTO attempts (brand_id, delivery_id, number, outcome, code, locked_by, ended_at)
      SELECT brand_id, id, number, 'retry', 'smtp_451', 'test', timestamptz '2026-05-05 09:00:00+00' + number * interval '1 minute'
      FROM deliveries, generate_series(1, 2) number
      WHERE message_id = ${uuidOf('msg', message)} AND recipient = 'ada@example.com'`
    expect((await messagesOf(ticket))[1]).toMatchObject({
      status,
      delivery: {
        state: shown,
        attempts: 2,
        last_attempt_at: '2026-05-05T09:02:00.000Z',
        delivered_at: deliveredAt,
      },
    })
    // Whom else it went to is not the requester's.
    expect((await read(ticket)).text).not.toContain('bob@example.com')
  })

  test('is not that of an acknowledgement, a status or a mail to the agent', async () => {
    const ticket = await open()
    const [first] = (await read(ticket)).body.messages as { message_id: string; delivery: object }[]
    await carry(String(first?.message_id), 'ada@example.com', 'rejected', { kind: 'acknowledgement' })
    expect((await messagesOf(ticket))[0]).toMatchObject({ status: 'sent', delivery: first?.delivery })
  })
})

test('a browser of the brand reads the answer, and one of another brand does not', async () => {
  const ticket = await open()
  const paths = [`/${ticket}`, '?brand_id=acme', `/${ticket}/attachments/att_0`].map(
    (path) => `/v1/support/tickets${path}`,
  )
  for (const path of paths.slice(0, 2)) {
    const own = await bellhop.ask(path, { headers: { origin: ACME } })
    expect(own.headers.get('access-control-allow-origin')).toBe(ACME)
    expect(own.headers.get('access-control-expose-headers')).toContain('etag')
    const other = await bellhop.ask(path, { headers: { origin: GLOBEX } })
    expect([other.status, other.headers.get('access-control-allow-origin')]).toEqual([200, null])
  }
  const preflight = await fetch(bellhop.url + paths[0], {
    method: 'OPTIONS',
    headers: {
      origin: ACME,
      'access-control-request-method': 'PATCH',
      'access-control-request-headers': 'if-none-match,last-event-id',
    },
  })
  expect(preflight.status).toBe(204)
  expect(preflight.headers.get('access-control-allow-methods')).toContain('PATCH')
  expect(preflight.headers.get('access-control-allow-headers')).toContain('if-none-match, last-event-id')
})
