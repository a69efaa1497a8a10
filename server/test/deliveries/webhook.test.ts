import { Webhook } from 'standardwebhooks'
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { brandOf, startBellhop, type TestBellhop, TICKET } from '../bellhop.ts'
import {
  type FaultHttpServer,
  httpAnswer,
  type Received,
  startFaultHttpServer,
} from '../connectors/fault-http-server.ts'
import { until } from '../database/embedded/processes.ts'
import { CANARY } from './mail-desk.ts'
import { attemptsOf, deliveryOf, endsOf, makeDue, type Named, stateOf } from './rows.ts'

const SECRET = `whsec_${Buffer.alloc(24, 7).toString('base64')}`
const FILE = Buffer.from('\u0000\u0001 a file \r\n')

let desk: FaultHttpServer
let bellhop: TestBellhop
beforeAll(async () => {
  desk = await startFaultHttpServer()
  bellhop = await startBellhop({
    random: () => 0.9,
    brands: (issuer) => [
      brandOf('acme', issuer, {
        wait: 10_000,
        desk: { connector: 'webhook', url: `http://127.0.0.1:${desk.port}/tickets`, secret: SECRET },
      }),
    ],
  })
})
afterAll(async () => {
  await bellhop.stop()
  await desk.close()
})
beforeEach(() => {
  desk.received.length = 0
  desk.behaviour = httpAnswer(204)
})

const headersOf = ({ head }: Received): Record<string, string> =>
  Object.fromEntries(
    head
      .split('\r\n')
      .slice(1)
      .flatMap((line) => {
        const [, name, value] = /^([^:]+): (.*)$/.exec(line) ?? []
        return name === undefined || value === undefined ? [] : [[name.toLowerCase(), value]]
      }),
  )
/** What a desk that checks the signature reads; it throws where the signature is not right. */
const verified = (call: Received) =>
  new Webhook(SECRET).verify(call.body, headersOf(call)) as { data: Record<string, unknown> }
const untilDelivered = (message: Named) =>
  until(async () => (await stateOf(bellhop.sql, message)) === 'delivered')

test('the desk gets the whole ticket, signed', async () => {
  const filed = await bellhop.file({
    attachment: { filename: 'a.bin', content_base64: FILE.toString('base64') },
  })
  expect([filed.status, filed.body.status]).toEqual([201, 'sent'])
  expect(desk.received).toHaveLength(1)
  const [call] = desk.received
  if (call === undefined) throw new Error('nothing came')
  expect(headersOf(call)['webhook-id']).toBe(filed.body.message_id)
  expect(verified(call)).toEqual({
    type: 'support.ticket.created',
    timestamp: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/),
    data: {
      ticket_id: filed.body.ticket_id,
      message_id: filed.body.message_id,
      brand_id: 'acme',
      person_id: 'per_ada',
      requester: { email: 'ada@example.com', name: 'Ada Lovelace' },
      subject: TICKET.subject,
      body: TICKET.body,
      attachments: [
        expect.objectContaining({
          filename: 'a.bin',
          content_type: 'application/octet-stream',
          size: FILE.length,
          content_base64: FILE.toString('base64'),
        }),
      ],
    },
  })
  expect(await endsOf(bellhop.sql, filed)).toEqual(['delivered http_204'])
})

test('a 4xx is for good: the customer is told, and so is who asks again', async () => {
  desk.behaviour = httpAnswer(422, {}, CANARY)
  const headers = { 'idempotency-key': 'refused' }
  const refused = await bellhop.file({}, headers)
  expect([refused.status, refused.body.error]).toEqual([400, 'upstream_error'])
  const replay = await bellhop.file({}, headers)
  expect([replay.status, replay.body.error]).toEqual([400, 'upstream_error'])
  expect(replay.headers.get('idempotency-replayed')).toBe('true')
  expect(desk.received).toHaveLength(1)
  const [row] = await bellhop.sql`SELECT answer FROM attempt_answers WHERE answer <> ''`
  expect(row?.answer).toBe(CANARY)
  expect(bellhop.logged()).not.toContain(CANARY)
})

test('a desk that asks to be left alone for two minutes is, and then gets the same call', async () => {
  desk.behaviour = httpAnswer(503, { 'retry-after': '120' })
  const filed = await bellhop.file()
  expect([filed.status, filed.body.status]).toEqual([201, 'requested'])
  const { state, due_in } = await deliveryOf(bellhop.sql, filed)
  expect(state).toBe('pending')
  expect(due_in).toBeGreaterThan(110)
  expect(due_in).toBeLessThanOrEqual(120)
  desk.behaviour = httpAnswer(200)
  await makeDue(bellhop.sql, filed)
  await untilDelivered(filed)
  expect(await endsOf(bellhop.sql, filed)).toEqual(['retry http_503', 'delivered http_200'])
  const [first, second] = desk.received
  if (first === undefined || second === undefined) throw new Error('it came less than twice')
  expect(verified(second)).toEqual(verified(first))
  expect(second.body).toBe(first.body)
  expect([first, second].map((call) => headersOf(call)['webhook-id'])).toEqual(
    Array(2).fill(filed.body.message_id),
  )
})

test('a break after the call is uncertain, and the same id lets the desk drop the double', async () => {
  desk.behaviour = 'reset'
  const filed = await bellhop.file()
  expect(filed.body.status).toBe('requested')
  desk.behaviour = httpAnswer(202)
  await untilDelivered(filed)
  expect(await endsOf(bellhop.sql, filed)).toEqual([
    'uncertain connection_lost_after_request',
    'delivered http_202',
  ])
  expect(new Set(desk.received.map((call) => headersOf(call)['webhook-id'])).size).toBe(1)
})

test('a redirect is not followed, and the operator is alarmed', async () => {
  desk.behaviour = httpAnswer(302, { location: `http://127.0.0.1:${desk.port}/elsewhere` })
  const filed = await bellhop.file()
  expect(filed.body.status).toBe('requested')
  expect((await attemptsOf(bellhop.sql, filed))[0]).toMatchObject({ outcome: 'retry', code: 'http_302' })
  expect(desk.received.some(({ head }) => head.includes('/elsewhere'))).toBe(false)
  const { text } = await bellhop.ask('/metrics')
  expect(text).toContain('bellhop_delivery_alarms_total{brand="acme"} 1')
})
