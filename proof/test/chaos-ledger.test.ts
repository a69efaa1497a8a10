import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { startBellhop, type TestBellhop } from '../../server/test/bellhop.ts'
import type { DeskReport } from '../chaos/desk.ts'
import { Ledger } from '../chaos/ledger.ts'

let bellhop: TestBellhop
let ledger: Ledger
let arrived: [string, string][]

beforeAll(async () => {
  bellhop = await startBellhop()
})
afterAll(() => bellhop.stop())

beforeEach(async () => {
  // Two of the tables refuse to be emptied, as they should.
  await bellhop.sql.unsafe(`
    set session_replication_role = replica; truncate participants, inbound_mails, tickets, messages, deliveries, attempts, attempt_answers,
      attachments, blobs, idempotency_keys, audit_entries; set session_replication_role = origin`)
  ledger = new Ledger()
  arrived = []
  for (let ticket = 0; ticket < 3; ticket++) await file()
})

/** A ticket that was acknowledged and came to the desk. */
async function file(key = `key-${ledger.begin()}`): Promise<{ ticket_id: string; message_id: string }> {
  const { status, headers, text, body } = await bellhop.file(
    {},
    { 'idempotency-key': `${ledger.run}-${key}` },
  )
  ledger.note(key, 'acme', { status, headers: new Map(headers), body: text })
  const receipt = body as { ticket_id: string; message_id: string }
  arrived.push([receipt.ticket_id, `<${receipt.message_id}@acme.example>`])
  return receipt
}

async function broken(desk: Partial<DeskReport> = {}): Promise<Record<string, string>> {
  const report = { received: arrived, doubles: 0, differing: [], ...desk }
  const { checks } = await ledger.compare(bellhop.sql, report)
  const all = [...checks, ...ledger.answerChecks()]
  return Object.fromEntries(all.filter(({ ok }) => !ok).map(({ what, seen }) => [what, seen]))
}

/** Against the constraints, as only a broken promise could. */
async function damage(statement: string): Promise<void> {
  await bellhop.sql.unsafe(
    `set session_replication_role = replica; ${statement}; set session_replication_role = origin`,
  )
}

test('where everything was kept and carried, nothing is broken', async () => {
  expect(await broken()).toEqual({})
  const report = { received: arrived, doubles: 2, differing: [] }
  expect(await ledger.compare(bellhop.sql, report)).toMatchObject({
    acknowledged: 3,
    present: 3,
    arrived: 3,
    doubles: 2,
  })
})

test('an acknowledged ticket that is nowhere is lost', async () => {
  ledger.note(`key-${ledger.begin()}`, 'acme', {
    status: 201,
    headers: new Map(),
    body: JSON.stringify({ ticket_id: `tkt_${'0'.repeat(32)}`, message_id: `msg_${'0'.repeat(32)}` }),
  })
  expect(await broken()).toEqual({ lost: '1', 'not arrived': '1' })
})

test.each([
  ['message', 'delete from messages where id = (select min(id::text)::uuid from messages)'],
  ['delivery', 'delete from deliveries where id = (select min(id::text)::uuid from deliveries)'],
  ['audit entry', 'delete from audit_entries where id = (select min(id::text)::uuid from audit_entries)'],
])('a ticket without its %s is lost, and half-written', async (_what, statement) => {
  await damage(statement)
  expect(await broken()).toMatchObject({ lost: '1', 'half-written': expect.stringMatching(/^[1-9]/) })
})

test('a ticket that nobody was told of may be there, but not in part', async () => {
  ledger.begin()
  await bellhop.file({}, { 'idempotency-key': `${ledger.run}-unanswered` })
  expect(await broken()).toEqual({})
  await damage('delete from deliveries where id = (select max(id::text)::uuid from deliveries)')
  expect(await broken()).toEqual({ 'half-written': '1' })
})

test('a ticket that was filed once and is there twice is found', async () => {
  await bellhop.file({}, { 'idempotency-key': `${ledger.run}-again` })
  expect(await broken()).toEqual({ 'filed twice': '1' })
})

test('the same key must have the same ids for ever', async () => {
  const { ticket_id } = await file('a-key')
  const answer = (message_id: string) => ({
    status: 201,
    headers: new Map<string, string>(),
    body: JSON.stringify({ ticket_id, message_id }),
  })
  ledger.begin()
  ledger.note('a-key', 'acme', answer(`msg_${'f'.repeat(32)}`))
  expect(await broken()).toMatchObject({ 'keys with two tickets': '1' })
})

test('a double must bear the first one’s Message-ID and its bytes', async () => {
  const [ticket, id] = arrived[0] ?? ['', '']
  const other = `<msg_${'e'.repeat(32)}@acme.example>`
  expect(await broken({ received: [...arrived, [ticket, other]] })).toMatchObject({
    'doubles with another Message-ID': '1',
    'arrived of no ticket': '1',
  })
  expect(await broken({ doubles: 1, differing: [id] })).toEqual({ 'doubles that differ in a byte': '1' })
})

test('what has not come to its desk is named', async () => {
  expect(await broken({ received: arrived.slice(1) })).toEqual({ 'not arrived': '1' })
})

test('a refusal other than 503, or one that does not say when to come again, is named', async () => {
  ledger.note('a', 'acme', { status: 503, headers: new Map([['retry-after', '1']]), body: '{}' })
  expect(await broken()).toEqual({})
  ledger.note('b', 'acme', { status: 503, headers: new Map(), body: '{}' })
  ledger.note('c', 'acme', { status: 500, headers: new Map(), body: '{"error":"internal_error"}' })
  expect(await broken()).toEqual({
    'refusals without Retry-After': '1',
    'answers other than 201, 503': '1 × 500 internal_error',
  })
  expect(ledger.answerChecks([500])[0]).toMatchObject({ ok: true })
})
