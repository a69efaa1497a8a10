import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import type { Brand } from '../../src/config.ts'
import { createConnector } from '../../src/connectors/registry.ts'
import type { ConversationDeps } from '../../src/conversation/conversation.ts'
import { addParticipant, correctAddress, removeParticipant } from '../../src/conversation/people.store.ts'
import { say } from '../../src/conversation/say.ts'
import { isForNobody } from '../../src/deliveries/job.ts'
import { readPeopleOf, redirectWaiting } from '../../src/deliveries/redirect.store.ts'
import { fromId, newUuid, toId } from '../../src/ids.ts'
import { brandOf, startBellhop, type TestBellhop } from '../bellhop.ts'
import { startMailSink } from '../connectors/mail-sink.ts'
import { answer, type Opened } from '../conversation/scene.ts'
import { until } from '../database/embedded/processes.ts'

/** Mail waits while delivery is on hold, and meanwhile an operator changes whom it is for. */

const OPERATOR = { actor: 'operator', actorId: 'root' } as const
const OLD = 'ada@example.com'
const NEW = 'ada@example.org'

let sink: Awaited<ReturnType<typeof startMailSink>>
let bellhop: TestBellhop
let deps: ConversationDeps
let ticket: Opened
beforeAll(async () => {
  sink = await startMailSink()
  bellhop = await startBellhop({
    brands(issuer) {
      const from = { name: 'Acme', address: 'support@acme.example' }
      const mail = { url: `smtp://127.0.0.1:${sink.port}`, from, dkim: null }
      const brand: Brand = brandOf('acme', issuer, { mail, acknowledge: 'always' })
      const desk = createConnector(brand, { now: Date.now })
      deps = { brands: new Map([['acme', brand]]), connectorOf: () => desk }
      return [brand]
    },
  })
})
afterAll(async () => {
  await bellhop.stop()
  await sink.close()
})
beforeEach(async () => {
  sink.mails.length = 0
  await bellhop.sql`UPDATE installation SET held_since = now()`
  const { body } = await bellhop.file({ requester_email: 'ada@EXAMPLE.com' })
  ticket = {
    brandId: 'acme',
    ticketId: fromId('tkt', String(body.ticket_id)) ?? '',
    messageId: fromId('msg', String(body.message_id)) ?? '',
  }
})

const tell = () => bellhop.sql.begin((tx) => say(tx, deps, answer(ticket)))
const participant = (address: string) => ({ ...ticket, ...OPERATOR, address })
const join = (address: string) =>
  bellhop.sql.begin((tx) => addParticipant(tx, { ...participant(address), name: null }))
const leave = (address: string) => bellhop.sql.begin((tx) => removeParticipant(tx, participant(address)))
/** As `bellhop ticket address correct` does it. */
const correct = (may: { wholly: boolean; acknowledges: boolean }) =>
  bellhop.sql.begin(async (tx) => {
    await correctAddress(tx, { ...participant(NEW), proven: may.wholly })
    await removeParticipant(tx, participant(NEW))
    return redirectWaiting(tx, { ...ticket, from: OLD, to: NEW, ...may })
  })

/** What became of the customer's mails, once it goes on: `message ada@example.org delivered -`. */
async function ends(): Promise<string[]> {
  await bellhop.sql`UPDATE installation SET held_since = NULL`
  const mails = () => bellhop.sql<{ state: string; line: string }[]>`
    SELECT d.state, concat_ws(' ', d.kind, d.recipient, d.state,
      (SELECT code FROM attempts a WHERE a.delivery_id = d.id ORDER BY number DESC LIMIT 1)) AS line
    FROM deliveries d JOIN messages m ON m.id = d.message_id
    WHERE d.side = 'customer' AND m.ticket_id = ${ticket.ticketId} ORDER BY line`
  await until(async () => (await mails()).every(({ state }) => state === 'delivered' || state === 'rejected'))
  return (await mails()).map(({ line }) => line)
}

test('a corrected address gets what waits for it, and what it gets is what it may', async () => {
  await tell()
  expect(await correct({ wholly: true, acknowledges: true })).toBe(2)
  expect(await ends()).toEqual([
    `acknowledgement ${NEW} delivered smtp_250`,
    `message ${NEW} delivered smtp_250`,
  ])
  expect(sink.mails.flatMap(({ to }) => to)).toEqual([NEW, NEW])
})

test('one that nobody has proven gets only that there is an answer, and no acknowledgement', async () => {
  await tell()
  expect(await correct({ wholly: false, acknowledges: false })).toBe(1)
  expect(await ends()).toEqual([
    `acknowledgement ${OLD} rejected recipient_removed`,
    `notice ${NEW} delivered smtp_250`,
  ])
  expect(sink.mails.map(({ to }) => to)).toEqual([[NEW]])
  expect(sink.mails[0]?.bytes.toString()).not.toContain('Try again.')
})

test('who was a participant and is the requester now hears it once', async () => {
  await join(NEW)
  await tell()
  expect(await correct({ wholly: true, acknowledges: false })).toBe(0)
  expect(await ends()).toEqual(
    [
      `acknowledgement ${OLD} rejected recipient_removed`,
      `message ${OLD} rejected recipient_removed`,
      `message ${NEW} delivered smtp_250`,
    ].sort(),
  )
})

test('to a participant who was removed goes nothing that waited, and the others hear it', async () => {
  await join('bob@example.net')
  await tell()
  await leave('bob@example.net')
  expect(await ends()).toEqual([
    `acknowledgement ${OLD} delivered smtp_250`,
    `message ${OLD} delivered smtp_250`,
    'message bob@example.net rejected recipient_removed',
  ])
  expect(sink.mails.flatMap(({ to }) => to)).toEqual([OLD, OLD])
  // The customer's receipt is that of their own mail.
  const { body } = await bellhop.ask(`/v1/support/tickets/${toId('tkt', ticket.ticketId)}`)
  expect(body.messages).toMatchObject([{}, { status: 'sent', delivery: { state: 'delivered' } }])
})

test('that the new address was refused a mail before does not keep this one from it', async () => {
  await join(NEW)
  await tell()
  await bellhop.sql`UPDATE deliveries SET state = 'rejected', finished_at = now() WHERE recipient = ${NEW}
    AND state = 'pending'`
  expect(await correct({ wholly: true, acknowledges: true })).toBe(2)
  expect(await ends()).toContain(`message ${NEW} delivered smtp_250`)
  expect(sink.mails.flatMap(({ to }) => to)).toEqual([NEW, NEW])
})

test('whose it is, is asked once more where a claim saw the people of before', async () => {
  await tell()
  const rows = await bellhop.sql<{ deliveryId: string }[]>`
    SELECT d.id AS "deliveryId" FROM deliveries d JOIN messages m ON m.id = d.message_id
    WHERE m.ticket_id = ${ticket.ticketId} AND d.side = 'customer' AND d.kind = 'message'`
  const [deliveryId = ''] = rows.map((row) => row.deliveryId)
  await correct({ wholly: true, acknowledges: true })
  const stale = { side: 'customer', recipient: NEW, participates: false, requesterEmail: OLD } as const
  const people = await readPeopleOf(bellhop.sql, [{ brandId: 'acme', deliveryId }])
  expect(people.get(deliveryId)).toEqual({ requesterEmail: NEW, participates: false })
  expect(isForNobody(stale)).toBe(true)
  expect(isForNobody({ ...stale, ...people.get(deliveryId) })).toBe(false)
  await ends()
})

test('other tickets and what was sent already stay as they are', async () => {
  await tell()
  await ends()
  await bellhop.sql`UPDATE installation SET held_since = now()`
  expect(await correct({ wholly: true, acknowledges: true })).toBe(0)
  const other = { ...ticket, ticketId: newUuid() }
  expect(
    await bellhop.sql.begin((tx) =>
      redirectWaiting(tx, { ...other, from: OLD, to: NEW, wholly: true, acknowledges: true }),
    ),
  ).toBe(0)
})
