import { simpleParser } from 'mailparser'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { startBellhop, type TestBellhop, TICKET } from '../bellhop.ts'
import { startFaultSmtpServer } from '../connectors/fault-smtp-server.ts'
import { until } from '../database/embedded/processes.ts'
import type { TestIssuer } from '../http/tokens/test-issuer.ts'
import { CANARY, type MailDesk, mailBrand, messageIds, smtpDesk, startMailDesk } from './mail-desk.ts'
import { attemptsOf, auditOf, deliveryOf, endsOf, makeDue, makeLate, type Named, stateOf } from './rows.ts'

const PATIENT = 10_000
const FILE = Buffer.from('id;row\r\n1;\u00e9\n.\r\n')
const ATTACHMENT = {
  filename: 'export.csv',
  content_type: 'text/csv',
  content_base64: FILE.toString('base64'),
}

let desk: MailDesk
let bellhop: TestBellhop
const brands = (issuer: TestIssuer) => [
  mailBrand('acme', issuer, desk, PATIENT),
  mailBrand('globex', issuer, desk, 150),
  mailBrand('initech', issuer, desk, 0),
]
beforeAll(async () => {
  desk = await startMailDesk()
  // The first back-off is 0.9 s.
  bellhop = await startBellhop({ brands, random: () => 0.9 })
})
afterAll(async () => {
  await bellhop.stop()
  await desk.close()
})
beforeEach(() => {
  desk.mails.length = 0
})

const statusOf = async (ticketId: unknown) => {
  const { body } = await bellhop.ask(`/v1/support/tickets/${ticketId}`)
  return (body.messages as { status: string }[])[0]?.status
}
const untilState = (message: Named, state: string) =>
  until(async () => (await stateOf(bellhop.sql, message)) === state)

describe('the desk takes the ticket', () => {
  test('the customer is told that it was sent, and it is in the mailbox', async () => {
    const filed = await bellhop.file({ attachment: ATTACHMENT })
    expect(filed.body).toMatchObject({ status: 'sent' })
    expect(filed.status).toBe(201)
    expect(desk.mails).toHaveLength(1)
    const mail = await simpleParser(desk.mails[0] ?? '')
    expect(mail.from?.text).toBe('"Acme Support" <support@acme.example>')
    expect([mail.to].flat().map((to) => to?.text)).toEqual(['helpdesk@acme.example'])
    expect(mail.replyTo?.text).toBe('"Ada Lovelace" <ada@example.com>')
    expect(mail.subject).toBe(TICKET.subject)
    expect(mail.text).toBe(TICKET.body)
    expect(mail.messageId).toBe(`<${filed.body.message_id}@acme.example>`)
    expect(mail.headers.get('x-bellhop-ticket')).toBe(filed.body.ticket_id)
    expect(mail.headers.get('auto-submitted')).toBe('auto-generated')
    expect(mail.attachments.map((file) => [file.filename, file.contentType])).toEqual([
      ['export.csv', 'text/csv'],
    ])
    expect(mail.attachments[0]?.content.equals(FILE)).toBe(true)
    expect(await attemptsOf(bellhop.sql, filed)).toEqual([
      { number: 1, outcome: 'delivered', code: 'smtp_250', answer: expect.stringContaining('kept as 42') },
    ])
    expect(await auditOf(bellhop.sql, filed)).toEqual(['person ticket.created', 'system delivery.delivered'])
  })

  test('later than the brand lets its customers wait: it is requested, and sent when the desk answered', async () => {
    const release = desk.hold()
    const filed = await bellhop.file({ brand_id: 'globex' })
    expect([filed.status, filed.body.status]).toEqual([201, 'requested'])
    expect(await statusOf(filed.body.ticket_id)).toBe('requested')
    release()
    await untilState(filed, 'delivered')
    expect(await statusOf(filed.body.ticket_id)).toBe('sent')
    expect(desk.mails).toHaveLength(1)
  })

  test('and nobody waits for it where the brand says so', async () => {
    const release = desk.hold()
    const filed = await bellhop.file({ brand_id: 'initech' }, { 'idempotency-key': 'at-once' })
    expect([filed.status, filed.body.status]).toEqual([201, 'requested'])
    release()
    await untilState(filed, 'delivered')
    const again = await bellhop.file({ brand_id: 'initech' }, { 'idempotency-key': 'at-once' })
    expect(again.body).toEqual({ ...filed.body, status: 'sent' })
    expect(desk.mails).toHaveLength(1)
  })
})

describe('the desk refuses the ticket for good', () => {
  test('the customer is told, the ticket is kept, and a replay says the same', async () => {
    desk.refuseRecipients.push(550)
    const headers = { 'idempotency-key': 'refused-at-once' }
    const refused = await bellhop.file({ subject: 'refused at once' }, headers)
    expect([refused.status, refused.body.error]).toEqual([400, 'upstream_error'])
    expect(refused.headers.get('idempotency-replayed')).toBeNull()
    expect(refused.text).not.toContain(CANARY)
    const [ticket] = await bellhop.sql<{ id: string; message: string }[]>`
      SELECT 'tkt_' || replace(t.id::text, '-', '') AS id, 'msg_' || replace(m.id::text, '-', '') AS message
      FROM tickets t JOIN messages m ON m.ticket_id = t.id WHERE t.subject = 'refused at once'`
    expect(await statusOf(ticket?.id)).toBe('rejected')
    expect(await attemptsOf(bellhop.sql, ticket?.message ?? '')).toEqual([
      { number: 1, outcome: 'permanent', code: 'smtp_550', answer: expect.stringContaining(CANARY) },
    ])
    expect(await auditOf(bellhop.sql, ticket?.message ?? '')).toEqual([
      'person ticket.created',
      'system delivery.rejected',
    ])
    const replay = await bellhop.file({ subject: 'refused at once' }, headers)
    expect([replay.status, replay.body.error]).toEqual([400, 'upstream_error'])
    expect(replay.headers.get('idempotency-replayed')).toBe('true')
    expect(desk.mails).toHaveLength(0)
  })

  test('also where the first answer was that it is requested', async () => {
    const release = desk.hold()
    desk.refuseMails.push(554)
    const headers = { 'idempotency-key': 'refused-later' }
    const filed = await bellhop.file({ brand_id: 'globex' }, headers)
    expect([filed.status, filed.body.status]).toEqual([201, 'requested'])
    release()
    await untilState(filed, 'rejected')
    const replay = await bellhop.file({ brand_id: 'globex' }, headers)
    expect([replay.status, replay.body.error]).toEqual([400, 'upstream_error'])
    expect(replay.headers.get('idempotency-replayed')).toBe('true')
    expect(await statusOf(filed.body.ticket_id)).toBe('rejected')
  })
})

describe('the desk does not take the ticket now', () => {
  test('it is tried again, by the same mail to the byte, whichever process sends it', async () => {
    const api = await startBellhop({ beside: bellhop, brands, roles: { api: true, worker: false } })
    try {
      desk.refuseMails.push(451)
      const filed = await api.file({
        attachment: ATTACHMENT,
        subject: 'Pesan \u2014 \u{1f69a}\r\nBcc: eve@evil.example',
        requester_name: '  Ada "the\u202e" Lovelace ',
      })
      expect([filed.status, filed.body.status]).toEqual([201, 'requested'])
      expect(await endsOf(bellhop.sql, filed)).toEqual(['retry smtp_451'])
      await makeDue(bellhop.sql, filed)
      await untilState(filed, 'delivered')
      expect(await endsOf(bellhop.sql, filed)).toEqual(['retry smtp_451', 'delivered smtp_250'])
      const holders = await bellhop.sql`
        SELECT count(DISTINCT locked_by)::int AS count FROM attempts
        WHERE delivery_id = ${(await deliveryOf(bellhop.sql, filed)).id}`
      expect(holders[0]?.count).toBe(2)
      const [first, second] = desk.mails
      expect(desk.mails).toHaveLength(2)
      expect(second).toBe(first)
      expect(messageIds(desk.mails)).toEqual(Array(2).fill(`<${filed.body.message_id}@acme.example>`))
    } finally {
      await api.stop()
    }
  })

  test('not before its back-off is over', async () => {
    desk.refuseRecipients.push(450, 450)
    const first = await bellhop.file()
    const { state, attempts, due_in } = await deliveryOf(bellhop.sql, first)
    expect([state, attempts]).toEqual(['pending', 1])
    expect(due_in).toBeGreaterThan(0)
    expect(due_in).toBeLessThanOrEqual(0.9)
    expect(await statusOf(first.body.ticket_id)).toBe('requested')
    // The worker has looked at what is due, and has seen it, when a later one that is due was carried.
    await bellhop.sql`UPDATE deliveries SET due_at = now() + interval '1 hour' WHERE state = 'pending'`
    const second = await bellhop.file()
    await makeDue(bellhop.sql, second)
    await untilState(second, 'delivered')
    expect((await deliveryOf(bellhop.sql, first)).attempts).toBe(1)
    await makeDue(bellhop.sql, first)
    await untilState(first, 'delivered')
  })

  test('until three days are over: then it is dead, for the operator to see, and not before', async () => {
    desk.refuseRecipients.push(450, 451, 452)
    const filed = await bellhop.file()
    await makeDue(bellhop.sql, filed)
    await until(async () => (await endsOf(bellhop.sql, filed)).length === 2)
    expect(await stateOf(bellhop.sql, filed)).toBe('pending')
    await makeLate(bellhop.sql, filed)
    await untilState(filed, 'dead')
    expect(await endsOf(bellhop.sql, filed)).toEqual(['retry smtp_450', 'retry smtp_451', 'retry smtp_452'])
    expect(await auditOf(bellhop.sql, filed)).toEqual(['person ticket.created', 'system delivery.dead'])
    expect(await statusOf(filed.body.ticket_id)).toBe('requested')
    const { text } = await bellhop.ask('/metrics')
    expect(text).toContain('bellhop_deliveries{brand="acme",side="desk",state="dead"} 1')
  })
})

test('a break after the message was sent is uncertain: tried again as the same message, and counted apart', async () => {
  const broken = await startFaultSmtpServer()
  broken.once = true
  broken.faults.set('dot', 'drop')
  const other = await startBellhop({
    brands: (issuer) => [mailBrand('acme', issuer, { desk: smtpDesk(broken.port) }, PATIENT)],
  })
  try {
    const filed = await other.file()
    expect([filed.status, filed.body.status]).toEqual([201, 'requested'])
    await makeDue(other.sql, filed)
    await until(async () => (await stateOf(other.sql, filed)) === 'delivered')
    expect(await endsOf(other.sql, filed)).toEqual([
      'uncertain connection_lost_after_data',
      'delivered smtp_250',
    ])
    expect(broken.messages).toHaveLength(2)
    expect(broken.messages[1]).toBe(broken.messages[0])
    const { text } = await other.ask('/metrics')
    const counted = (outcome: string) =>
      text.includes(
        `bellhop_delivery_attempt_duration_seconds_count{connector="smtp",outcome="${outcome}"} 1`,
      )
    expect([counted('uncertain'), counted('delivered'), counted('retry')]).toEqual([true, true, false])
  } finally {
    await other.stop()
    await broken.close()
  }
})

test('what the desk said is kept with the attempt, and is in no log', () => {
  const log = bellhop.logged()
  expect(log).toContain('"outcome":"permanent"')
  for (const canary of [
    CANARY,
    'kept as 42',
    TICKET.subject,
    TICKET.body,
    'ada@example',
    'Lovelace',
    'export.csv',
  ]) {
    expect(log).not.toContain(canary)
  }
})
