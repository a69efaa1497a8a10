import { hash } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type FollowUpScene, file, refusal, setFollowUpScene, type Told } from './follow-up-scene.ts'
import { uuidOf } from './speaking.ts'

let scene: FollowUpScene
beforeAll(async () => {
  scene = await setFollowUpScene()
})
afterAll(() => scene.stop())

const bearer = async (claims: Record<string, unknown>) => ({
  authorization: `Bearer ${await scene.bellhop.issuer.token(claims)}`,
})

describe('a customer says more', () => {
  test('and it stands on the ticket, behind what was said before', async () => {
    const ticket = await scene.open()
    await scene.speaking.say(ticket, {
      body: 'Which colour?',
      authorName: 'Grace',
      authorAddress: 'grace@acme.example',
    })
    const before = await scene.read(ticket)
    const answer = await scene.say(ticket)
    expect(answer.status).toBe(201)
    expect(answer.body).toEqual({
      ticket_id: ticket,
      message_id: expect.stringMatching(/^msg_[0-9a-f]{32}$/),
      status: 'sent',
    })
    const after = await scene.read(ticket)
    expect(new Date(String(after.updated_at)) > new Date(String(before.updated_at))).toBe(true)
    const [first, second, third] = after.messages as Told[]
    expect(first?.speaker).toEqual({ kind: 'customer', name: 'Ada Lovelace' })
    expect(second).toMatchObject({
      author: 'agent',
      speaker: { kind: 'agent', name: 'Grace' },
      body: 'Which colour?',
      status: 'sent',
      delivery: null,
    })
    expect(third).toMatchObject({
      message_id: answer.body.message_id,
      author: 'customer',
      speaker: { kind: 'customer', name: 'Ada Lovelace' },
      body: 'And the colour is wrong.',
      status: 'sent',
    })
  })

  test('with files, each with its own name and type', async () => {
    const ticket = await scene.open()
    const attachments = [
      { ...file('one', 'ä.txt'), content_type: 'text/plain' },
      { ...file('two', 'ä.txt') },
      { ...file('one', 'again.txt') },
    ]
    expect((await scene.say(ticket, { body: 'See here.', attachments })).status).toBe(201)
    const kept = (await scene.messagesOf(ticket))[1]?.attachments
    expect(kept).toEqual([
      expect.objectContaining({
        filename: 'ä.txt',
        content_type: 'text/plain',
        sha256: hash('sha256', 'one'),
      }),
      expect.objectContaining({ filename: 'ä.txt', size: 3, sha256: hash('sha256', 'two') }),
      expect.objectContaining({ filename: 'again.txt', sha256: hash('sha256', 'one') }),
    ])
  })

  test.each(['solved', 'pending'] as const)('which opens a %s ticket again', async (status) => {
    const ticket = await scene.open()
    await scene.speaking.setStatus(ticket, status)
    expect((await scene.say(ticket)).status).toBe(201)
    expect((await scene.read(ticket)).status).toBe('open')
    const entries = await scene.bellhop.sql`
      SELECT actor, action, status FROM audit_entries
      WHERE ticket_id = ${uuidOf('tkt', ticket)} AND actor = 'person' AND action <> 'ticket.created'
      ORDER BY action`
    expect(entries).toEqual([
      { actor: 'person', action: 'message.created', status: null },
      { actor: 'person', action: 'ticket.status', status: 'open' },
    ])
  })

  test('but not on one that is closed', async () => {
    const ticket = await scene.open()
    await scene.speaking.setStatus(ticket, 'closed')
    const before = await scene.read(ticket)
    expect(refusal(await scene.say(ticket))).toEqual([409, 'ticket_closed'])
    expect(await scene.read(ticket)).toEqual(before)
  })

  test('and is told honestly whether the desk has it', async () => {
    const ticket = await scene.open('initech')
    const before = scene.mailDesk.mails.length
    expect((await scene.say(ticket, { body: 'Carried at once.' })).body.status).toBe('sent')
    expect(scene.mailDesk.mails.length).toBe(before + 1)
    expect(scene.mailDesk.mails.at(-1)).toContain('Carried at once.')
    expect((await scene.messagesOf(ticket))[1]).toMatchObject({
      status: 'sent',
      delivery: {
        state: 'delivered',
        attempts: 1,
        last_attempt_at: expect.any(String),
        delivered_at: expect.any(String),
      },
    })
    scene.mailDesk.refuseRecipients.push(550)
    const refused = await scene.say(ticket, { body: 'Refused for good.' }, { 'idempotency-key': 'refused' })
    expect(refusal(refused)).toEqual([400, 'upstream_error'])
    expect((await scene.messagesOf(ticket))[2]).toMatchObject({
      body: 'Refused for good.',
      status: 'rejected',
      delivery: { state: 'rejected', delivered_at: null },
    })
    const again = await scene.say(ticket, { body: 'Refused for good.' }, { 'idempotency-key': 'refused' })
    expect(refusal(again)).toEqual([400, 'upstream_error'])
    expect(again.headers.get('idempotency-replayed')).toBe('true')
  })

  test('and waits for no desk while deliveries are on hold', async () => {
    const ticket = await scene.open('initech')
    await scene.bellhop.sql`UPDATE installation SET held_since = now()`
    const started = performance.now()
    const answer = await scene.say(ticket)
    await scene.bellhop.sql`UPDATE installation SET held_since = NULL`
    expect([answer.status, answer.body.status]).toEqual([201, 'requested'])
    expect(performance.now() - started).toBeLessThan(5000)
    expect((await scene.messagesOf(ticket))[1]).toMatchObject({
      status: 'requested',
      delivery: { state: 'pending', attempts: 0, last_attempt_at: null, delivered_at: null },
    })
  })
})

describe('the body is checked', () => {
  test.each([
    ['no body', {}, 'body is required'],
    ['an empty body', { body: '' }, 'body must not be empty'],
    ['a body that is no text', { body: 7 }, 'body must be a string'],
    ['NUL', { body: 'a\u0000' }, 'body must not contain the character NUL'],
    ['files that are no list', { body: 'a', attachments: {} }, 'attachments must be a list'],
    [
      'a file without a name',
      { body: 'a', attachments: [{ content_base64: 'YQ==' }] },
      'attachments.0.filename is required',
    ],
    [
      'NUL in a name',
      { body: 'a', attachments: [file('a'), file('a', '\u0000')] },
      'attachments.1.filename must not contain the character NUL',
    ],
    [
      'eleven files',
      { body: 'a', attachments: Array.from({ length: 11 }, () => file('a')) },
      'attachments must have at most 10 elements',
    ],
    ['a list', [], 'the body must be an object'],
  ])('%s', async (_what, body, message) => {
    const ticket = await scene.open()
    const answer = await scene.say(ticket, body)
    expect(refusal(answer)).toEqual([400, 'validation_error'])
    expect(String(answer.body.message).toLowerCase()).toContain(message.toLowerCase())
    expect(await scene.messagesOf(ticket)).toHaveLength(1)
  })

  test('ten files are taken, and all of them together have the limit of one', async () => {
    const ticket = await scene.open()
    const ten = Array.from({ length: 10 }, (_, index) => file('x'.repeat(100), `${index}.txt`))
    expect((await scene.say(ticket, { body: 'a', attachments: ten })).status).toBe(201)
    const more = [...ten.slice(1), file('x'.repeat(101))]
    expect(refusal(await scene.say(ticket, { body: 'a', attachments: more }))).toEqual([
      413,
      'payload_too_large',
    ])
    expect(refusal(await scene.say(ticket, { body: 'x'.repeat(2001) }))).toEqual([413, 'payload_too_large'])
  })

  test('which file is no base64 is told', async () => {
    const attachments = [file('a'), { filename: 'b', content_base64: 'YQ' }]
    const answer = await scene.say(await scene.open(), { body: 'a', attachments })
    expect(refusal(answer)).toEqual([400, 'invalid_attachment'])
    expect(answer.body.message).toContain('attachments.1.content_base64')
  })

  test('thousands of faults are not all told', async () => {
    const attachments = Array.from({ length: 5000 }, () => ({}))
    const answer = await scene.say(await scene.open(), { body: 'a', attachments })
    expect(answer.status).toBe(400)
    expect(answer.text.length).toBeLessThan(2000)
  })
})

describe('who may, and what is judged first', () => {
  test('the token, content type, JSON, schema, ticket, scope, number, key', async () => {
    const headers = await bearer({ scope: 'write' })
    const ticket = await scene.open('globex', headers)
    const wrong = await bearer({ sub: 'per_eve' })
    expect(refusal(await scene.say(ticket, '{', { authorization: 'Bearer x', 'content-type': 'a' }))[0]).toBe(
      401,
    )
    expect(refusal(await scene.say(ticket, '{', { ...wrong, 'content-type': 'text/plain' }))[0]).toBe(415)
    expect(refusal(await scene.say(ticket, '{', wrong))).toEqual([400, 'invalid_json'])
    expect(refusal(await scene.say(ticket, {}, wrong))).toEqual([400, 'validation_error'])
    expect(refusal(await scene.say(ticket, undefined, { ...wrong, 'idempotency-key': 'a b' }))).toEqual([
      400,
      'validation_error',
    ])
    expect(refusal(await scene.say(ticket, undefined, wrong))).toEqual([404, 'not_found'])
    expect(refusal(await scene.say(ticket, undefined, {}))).toEqual([403, 'insufficient_scope'])
    expect((await scene.say(ticket, undefined, headers)).status).toBe(201)
  })

  test('nobody but the owner and a trusted client; to all others the ticket is not there', async () => {
    const ticket = await scene.open()
    const missing = await scene.say(`tkt_${'0'.repeat(32)}`)
    expect(refusal(missing)).toEqual([404, 'not_found'])
    for (const claims of [{ sub: 'per_eve' }, { brand: 'globex' }, { sub: undefined, client_id: 'other' }]) {
      const answer = await scene.say(ticket, undefined, await bearer(claims))
      expect([answer.status, answer.text]).toEqual([404, missing.text])
    }
    const client = await bearer({ sub: undefined, client_id: 'backend' })
    expect((await scene.say(ticket, { body: 'By the backend.' }, client)).status).toBe(201)
    const [entry] = await scene.bellhop.sql`
      SELECT actor, actor_id FROM audit_entries
      WHERE ticket_id = ${uuidOf('tkt', ticket)} AND action = 'message.created'`
    expect(entry).toEqual({ actor: 'client', actor_id: 'backend' })
    expect(await scene.messagesOf(ticket)).toHaveLength(2)
  })

  test('what is said counts with what is filed', async () => {
    const ticket = await scene.open('hooli')
    const second = await scene.say(ticket)
    expect([second.status, second.headers.get('ratelimit-remaining')]).toEqual([201, '0'])
    expect(refusal(await scene.say(ticket))).toEqual([429, 'rate_limited'])
    expect(refusal(await scene.bellhop.file({ brand_id: 'hooli' }))).toEqual([429, 'rate_limited'])
  })
})

test('what is said at the same time is all kept, one behind the other', async () => {
  const ticket = await scene.open()
  const answers = await Promise.all(
    Array.from({ length: 12 }, (_, index) =>
      scene.say(ticket, { body: `${index}` }, {}, index % 2 ? scene.beside : scene.bellhop),
    ),
  )
  expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([201]))
  const bodies = (await scene.messagesOf(ticket)).slice(1).map(({ body }) => Number(body))
  expect(bodies.sort((a, b) => a - b)).toEqual(Array.from({ length: 12 }, (_, index) => index))
})

test('nothing of what was said is logged', async () => {
  const attachments = [file('canary', 'canary.txt')]
  await scene.say(await scene.open(), { body: 'canary', attachments }, { 'idempotency-key': 'canary' })
  expect(scene.bellhop.logged()).not.toContain('canary')
})
