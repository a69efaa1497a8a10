import { randomBytes } from 'node:crypto'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { fromId } from '../../src/ids.ts'
import { type Answer, startBellhop, type TestBellhop } from '../bellhop.ts'
import { startMailSink } from '../connectors/mail-sink.ts'
import { until } from '../database/embedded/processes.ts'
import { type Posting, post, SECRET, webhookBrands } from './signing-desk.ts'

const CANARY = 'canary-of-the-note'
const MINUTE = 60_000

let bellhop: TestBellhop
let sink: Awaited<ReturnType<typeof startMailSink>>
let now: () => number
let ticketId: unknown
beforeAll(async () => {
  now = Date.now
  sink = await startMailSink()
  bellhop = await startBellhop({ brands: (issuer) => webhookBrands(issuer, sink.port), now: () => now() })
})
afterAll(async () => {
  await bellhop.stop()
  await sink.close()
})
beforeEach(async () => {
  now = Date.now
  const filed = await bellhop.file()
  expect(filed.status).toBe(201)
  ticketId = filed.body.ticket_id
  sink.mails.length = 0
})

type Shown = { messages: Record<string, unknown>[]; status: string; updated_at: string }

const say = (body: unknown, posting?: Posting) => post(bellhop, ticketId, body, posting)
const read = async () => (await bellhop.ask(`/v1/support/tickets/${ticketId}`)).body as unknown as Shown

describe('the people at a webhook desk answer', () => {
  test('the customer reads it in the product and in their mailbox', async () => {
    const bytes = randomBytes(1000)
    const answered = await say({
      body: 'It leaves tomorrow.',
      author_name: 'Grace Hopper',
      status: 'pending',
      attachments: [{ filename: 'label.pdf', content_base64: bytes.toString('base64') }],
    })
    expect(answered).toMatchObject({ status: 201, body: { ticket_id: ticketId, status: 'requested' } })
    const ticket = await read()
    expect(ticket.status).toBe('pending')
    expect(ticket.messages[1]).toMatchObject({
      message_id: answered.body.message_id,
      author: 'agent',
      speaker: { kind: 'agent', name: 'Grace Hopper' },
      body: 'It leaves tomorrow.',
      attachments: [{ filename: 'label.pdf', size: 1000 }],
    })
    await until(() => sink.mails.length === 1)
    expect(sink.mails[0]?.to).toEqual(['ada@example.com'])
    expect(sink.mails[0]?.bytes.toString()).toContain('It leaves tomorrow.')
    // What the desk did itself it is not told.
    const told = await bellhop.sql`
      SELECT FROM deliveries d JOIN messages m ON m.brand_id = d.brand_id AND m.id = d.message_id
      WHERE m.ticket_id = ${fromId('tkt', String(ticketId))} AND d.kind = 'status'`
    expect(told).toHaveLength(0)
    expect(bellhop.logged()).not.toContain('It leaves')
    expect(bellhop.logged()).not.toContain('Grace')
  })

  test('a brand without mail has nothing to carry, and says so', async () => {
    const filed = await bellhop.file({ brand_id: 'globex' })
    const secret = `whsec_${Buffer.alloc(24, 8).toString('base64')}`
    const answered = await post(
      bellhop,
      filed.body.ticket_id,
      { body: 'Yes.' },
      { brandId: 'globex', secret },
    )
    expect(answered).toMatchObject({ status: 201, body: { status: 'sent' } })
  })

  test('a note reaches no customer, and what it says nowhere', async () => {
    const before = await bellhop.ask(`/v1/support/tickets/${ticketId}`)
    const noted = await say({ body: `${CANARY}: a difficult one`, author_name: CANARY, note: true })
    expect(noted).toMatchObject({ status: 201, body: { status: 'sent' } })
    const after = await bellhop.ask(`/v1/support/tickets/${ticketId}`)
    expect([after.text, after.headers.get('etag')]).toEqual([before.text, before.headers.get('etag')])
    // What is said after it comes by mail: had the note gone out, it would have been before.
    await say({ body: 'Yes.' })
    await until(() => sink.mails.length === 1)
    expect(sink.mails[0]?.bytes.includes(CANARY)).toBe(false)
    const [row] = await bellhop.sql`
      SELECT author, author_name, via FROM messages WHERE id = ${fromId('msg', String(noted.body.message_id))}`
    expect(row).toEqual({ author: 'note', author_name: CANARY, via: 'desk' })
  })

  test('the status beside a note is the customer’s to see, the note is not', async () => {
    expect((await say({ body: CANARY, note: true, status: 'solved' })).status).toBe(201)
    const ticket = await read()
    expect([ticket.status, ticket.messages.length]).toEqual(['solved', 1])
  })
})

describe('a retry is safe', () => {
  test('the same id and body answer with the same ids, and say how it stands now', async () => {
    const first = await say({ body: 'Yes.' }, { id: 'msg_once' })
    await until(() => sink.mails.length === 1)
    await until(async () => (await read()).messages[1]?.status === 'sent')
    const again = await say({ body: 'Yes.' }, { id: 'msg_once' })
    expect(again.headers.get('idempotency-replayed')).toBe('true')
    expect([again.status, again.body]).toEqual([201, { ...first.body, status: 'sent' }])
    expect((await read()).messages).toHaveLength(2)
  })

  test('within five minutes of its signature, and not beyond', async () => {
    const at = new Date()
    const first = await say({ body: 'Yes.' }, { id: 'msg_late', at })
    now = () => at.getTime() + 4.9 * MINUTE
    expect((await say({ body: 'Yes.' }, { id: 'msg_late', at })).body.message_id).toBe(first.body.message_id)
    now = () => at.getTime() + 5.1 * MINUTE
    expect((await say({ body: 'Yes.' }, { id: 'msg_late', at })).status).toBe(401)
    now = () => at.getTime() - 5.1 * MINUTE
    expect((await say({ body: 'Yes.' }, { id: 'msg_late', at })).status).toBe(401)
  })

  test('another body, or another ticket, is a mistake', async () => {
    await say({ body: 'Yes.' }, { id: 'msg_twice' })
    expect(await say({ body: 'No.' }, { id: 'msg_twice' })).toMatchObject({
      status: 422,
      body: { error: 'idempotency_mismatch' },
    })
    const other = await bellhop.file()
    expect((await post(bellhop, other.body.ticket_id, { body: 'Yes.' }, { id: 'msg_twice' })).status).toBe(
      422,
    )
  })

  test('ten at once say it once', async () => {
    const all = await Promise.all(Array.from({ length: 10 }, () => say({ body: 'Yes.' }, { id: 'msg_ten' })))
    expect(new Set(all.map(({ status }) => status))).toEqual(new Set([201]))
    expect(new Set(all.map(({ body }) => body.message_id)).size).toBe(1)
    expect(all.filter(({ headers }) => headers.get('idempotency-replayed') === null)).toHaveLength(1)
    expect((await read()).messages).toHaveLength(2)
  })
})

describe('who is not the desk learns nothing', () => {
  const refusals: [string, () => Promise<Answer>][] = [
    ['no such brand', () => say({ body: 'Yes.' }, { brandId: 'nobody' })],
    ['a brand with another desk', () => say({ body: 'Yes.' }, { brandId: 'initech' })],
    ['the secret of another brand', () => say({ body: 'Yes.' }, { brandId: 'globex' })],
    ['no signature', () => say({ body: 'Yes.' }, { headers: { 'webhook-signature': '' } })],
    [
      'a signature of another version',
      () => say({ body: 'Yes.' }, { headers: { 'webhook-signature': 'v1a,AAAA' } }),
    ],
    ['a signature of another body', () => say({ body: 'Yes.' }, { headers: { 'webhook-id': 'msg_other' } })],
    ['no time', () => say({ body: 'Yes.' }, { headers: { 'webhook-timestamp': 'now' } })],
    ['a stale time', () => say({ body: 'Yes.' }, { at: new Date(Date.now() - 6 * MINUTE) })],
    ['JSON that is none', () => say('{', { secret: `whsec_${Buffer.alloc(24, 1).toString('base64')}` })],
  ]

  test('every refusal is the same', async () => {
    const answers = []
    for (const [why, ask] of refusals) {
      const { status, text, headers } = await ask()
      answers.push(text)
      expect([why, status, JSON.parse(text).error]).toEqual([why, 401, 'unauthorized'])
      expect(headers.get('www-authenticate')).toBe('Standard-Webhooks realm="bellhop"')
    }
    expect(new Set(answers).size).toBe(1)
    expect((await read()).messages).toHaveLength(1)
  })

  test('of several signatures one that holds is enough', async () => {
    const at = new Date()
    const body = JSON.stringify({ body: 'Yes.' })
    const { Webhook } = await import('standardwebhooks')
    const holds = new Webhook(SECRET).sign('msg_several', at, body)
    const headers = { 'webhook-signature': `v1a,AAAA v1,AAAA ${holds}` }
    expect((await say(body, { id: 'msg_several', at, headers })).status).toBe(201)
  })
})

describe('what the desk sends is judged like what a customer sends', () => {
  test.each<[string, unknown, string, RegExp]>([
    ['no JSON', '{', 'invalid_json', /JSON/],
    ['no body', {}, 'validation_error', /^body is required/],
    ['a status that only time gives', { body: 'a', status: 'closed' }, 'validation_error', /^status must be/],
    ['a name of two lines', { body: 'a', author_name: 'Grace\nBcc' }, 'validation_error', /^author_name/],
    [
      'a name without an end',
      { body: 'a', author_name: 'x'.repeat(201) },
      'validation_error',
      /^author_name/,
    ],
    ['NUL', { body: 'a\0' }, 'validation_error', /^body must not contain/],
    ['a note that is a word', { body: 'a', note: 'yes' }, 'validation_error', /^note must be true or false/],
    [
      'a file that is no base64',
      { body: 'a', attachments: [{ filename: 'a', content_base64: 'a' }] },
      'invalid_attachment',
      /^attachments\.0\.content_base64/,
    ],
  ])('%s', async (_what, body, error, message) => {
    const answer = await say(body)
    expect(answer).toMatchObject({ status: 400, body: { error, message: expect.stringMatching(message) } })
    expect((await read()).messages).toHaveLength(1)
  })

  test('other types and large bodies are refused', async () => {
    expect((await say({ body: 'a' }, { headers: { 'content-type': 'text/plain' } })).status).toBe(415)
    expect((await say({ body: 'x'.repeat(2.1 * 1024 * 1024) })).status).toBe(413)
  })

  test('a ticket that is not the brand’s is not there, and a closed one is closed', async () => {
    const other = await bellhop.file({ brand_id: 'globex' })
    for (const id of [other.body.ticket_id, 'tkt_0', `tkt_${'0'.repeat(32)}`])
      expect(await post(bellhop, id, { body: 'a' })).toMatchObject({
        status: 404,
        body: { error: 'not_found' },
      })
    await bellhop.sql`
      UPDATE tickets SET status = 'closed', solved_at = now() WHERE id = ${fromId('tkt', String(ticketId))}`
    expect(await say({ body: 'a' })).toMatchObject({ status: 409, body: { error: 'ticket_closed' } })
  })
})
