import { Webhook } from 'standardwebhooks'
import { expect, test } from 'vitest'
import { WEBHOOK_TIMEOUTS } from '../../src/connectors/webhook.connector.ts'
import { httpAnswer } from './fault-http-server.ts'

import { NEVER, outgoingAttachment, outgoingMessage } from './outgoing-message.ts'
import { at, connect, SECRET, SHORT, start } from './webhook-desk.ts'

const headersOf = (head: string) =>
  Object.fromEntries(
    head
      .trim()
      .split('\r\n')
      .slice(1)
      .map((line) => line.split(': ') as [string, string]),
  )

test('a desk gets the whole ticket, signed so that it can tell that it is from us', async () => {
  const server = await start(httpAnswer(200, {}, 'thanks'))
  const content = Buffer.from('id;row\n1;é\n')
  const message = outgoingMessage({ subject: 'Ünïcode 👩‍👩‍👧', attachments: [outgoingAttachment(content)] })
  const result = await connect(at(server, '/hooks/tickets?desk=1')).send(message, NEVER)
  expect(result).toEqual({
    outcome: 'delivered',
    code: 'http_200',
    answer: 'thanks',
    retryAfter: null,
    alarm: false,
  })
  const { head, body } = server.received[0] ?? { head: '', body: '' }
  expect(head.startsWith('POST /hooks/tickets?desk=1 HTTP/1.1\r\n')).toBe(true)
  const headers = headersOf(head)
  expect(headers['content-type']).toBe('application/json')
  expect(headers['webhook-id']).toBe(message.messageId)
  expect(new Webhook(SECRET).verify(body, headers)).toEqual({
    type: 'support.ticket.created',
    timestamp: '2026-03-01T09:30:00.125Z',
    data: {
      ticket_id: message.ticketId,
      message_id: message.messageId,
      brand_id: 'acme',
      person_id: 'per_ada',
      requester: { email: 'ada@example.com', name: 'Ada Lovelace' },
      subject: message.subject,
      body: message.body,
      attachments: [
        {
          attachment_id: 'att_0199c0ffee007000800000000000000c',
          filename: 'export.csv',
          content_type: 'text/csv',
          size: content.length,
          sha256: '0'.repeat(64),
          content_base64: content.toString('base64'),
        },
      ],
    },
  })
})

test('a retry has the same id and body, and the time of the attempt', async () => {
  const server = await start(httpAnswer(503))
  let time = Date.parse('2026-03-01T10:00:00.900Z')
  const connector = connect(at(server), () => time)
  const message = outgoingMessage({ requester: { email: 'ada@example.com', name: null } })
  await connector.send(message, NEVER)
  time += 60_000
  await connector.send(message, NEVER)
  const [first, second] = server.received
  expect(second?.body).toBe(first?.body)
  expect(JSON.parse(first?.body ?? '').data.requester).toEqual({ email: 'ada@example.com', name: null })
  await connector.send({ ...message, unverified: true }, NEVER)
  expect(JSON.parse(server.received.pop()?.body ?? '').data.requester).toMatchObject({ verified: false })
  const times = server.received.map(({ head }) => headersOf(head)['webhook-timestamp'])
  expect(times).toEqual([1772359200, 1772359260].map(String))
  const ids = server.received.map(({ head }) => headersOf(head)['webhook-id'])
  expect(ids).toEqual([message.messageId, message.messageId])
})

test('an endless answer is read only a little', async () => {
  const raw = `HTTP/1.1 400 No\r\ncontent-length: 9000000\r\n\r\n\u0000${'y'.repeat(100_000)}`
  const server = await start({ raw, next: 'stall' })
  // A wait that would outlast this test: the start of the text must be enough.
  const patient = connect(at(server), Date.now, { ...SHORT, body: 60_000, attempt: 60_000 })
  const { outcome, answer } = await patient.send(outgoingMessage(), NEVER)
  expect(outcome).toBe('permanent')
  expect(answer).toBe(`\ufffd${'y'.repeat(1999)}`)
  server.behaviour = httpAnswer(204)
  expect((await connect(at(server)).send(outgoingMessage(), NEVER)).outcome).toBe('delivered')
})

test('doctor reaches for the desk without calling it', async () => {
  const server = await start()
  const verdict = await connect(at(server)).verify(NEVER)
  expect(verdict.ok).toBe(true)
  expect(server.received).toHaveLength(0)
})

test('an attempt ends within 60 s in production', () => {
  const { connect: connecting, headers, body, attempt } = WEBHOOK_TIMEOUTS
  expect(attempt + body).toBeLessThan(60_000)
  expect(connecting + headers + body).toBeLessThan(60_000)
})

test('of what is said further a desk gets the message with who says it, and where the ticket stands', async () => {
  const server = await start()
  const content = Buffer.from('a')
  const message = outgoingMessage({
    first: false,
    personId: null,
    speaker: { kind: 'participant', name: 'Bob' },
    ticketStatus: 'pending',
    attachments: [outgoingAttachment(content)],
  })
  await connect(at(server)).send(message, NEVER)
  const { head, body } = server.received[0] ?? { head: '', body: '' }
  const headers = headersOf(head)
  expect(headers['webhook-id']).toBe(message.messageId)
  expect(new Webhook(SECRET).verify(body, headers)).toEqual({
    type: 'support.message.created',
    timestamp: '2026-03-01T09:30:00.125Z',
    data: {
      ticket_id: message.ticketId,
      message_id: message.messageId,
      brand_id: 'acme',
      person_id: null,
      speaker: { kind: 'participant', name: 'Bob' },
      subject: message.subject,
      body: message.body,
      status: 'pending',
      attachments: [
        expect.objectContaining({ filename: 'export.csv', content_base64: content.toString('base64') }),
      ],
    },
  })
})

test('of a status a desk gets what it became, under the id of the delivery', async () => {
  const server = await start()
  const message = outgoingMessage({ kind: 'status', status: 'solved', ticketStatus: 'open' })
  await connect(at(server)).send(message, NEVER)
  const { head, body } = server.received[0] ?? { head: '', body: '' }
  const headers = headersOf(head)
  expect(headers['webhook-id']).toBe(message.deliveryId)
  expect(new Webhook(SECRET).verify(body, headers)).toEqual({
    type: 'support.ticket.updated',
    timestamp: '2026-03-01T09:30:00.125Z',
    data: { ticket_id: message.ticketId, brand_id: 'acme', status: 'solved' },
  })
})
