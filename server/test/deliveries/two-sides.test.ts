import { afterEach, beforeEach, expect, test } from 'vitest'
import type { Brand } from '../../src/config.ts'
import type { ConversationDeps } from '../../src/conversation/conversation.ts'
import { type Said, say } from '../../src/conversation/say.ts'
import { fromId, newUuid, toId } from '../../src/ids.ts'
import { type Answer, startBellhop, type TestBellhop } from '../bellhop.ts'
import { answer, type Opened, said } from '../conversation/scene.ts'
import { until } from '../database/embedded/processes.ts'
import { type MailDesk, mailBrand, messageIds, startMailDesk } from './mail-desk.ts'

const CANARY = 'canary-of-the-note'

let desk: MailDesk
let customers: MailDesk
let brand: Brand
let bellhop: TestBellhop
beforeEach(async () => {
  desk = await startMailDesk()
  customers = await startMailDesk()
  bellhop = await startBellhop({
    random: () => 0.1,
    brands(issuer) {
      const from = { name: 'Acme', address: 'hello@mail.acme.example' }
      brand = {
        ...mailBrand('acme', issuer, desk),
        mail: { url: customers.desk.url, from, dkim: null },
        acknowledge: 'never',
      }
      return [brand]
    },
  })
})
afterEach(async () => {
  await bellhop.stop()
  await desk.close()
  await customers.close()
})

const deps: ConversationDeps = {
  get brands() {
    return new Map([['acme', brand]])
  },
  connectorOf: () => ({ name: 'smtp', atCommit: false }) as ReturnType<ConversationDeps['connectorOf']>,
}

const opened = ({ body }: Answer): Opened => ({
  brandId: 'acme',
  ticketId: fromId('tkt', String(body.ticket_id)) ?? '',
  messageId: fromId('msg', String(body.message_id)) ?? '',
})
const speak = (what: Said) => bellhop.sql.begin((tx) => say(tx, deps, what))
const header = (mail: string | undefined, name: string) =>
  new RegExp(`^${name}: ((?:.*\\r\\n[ \\t])*.*)\\r$`, 'im')
    .exec(mail ?? '')?.[1]
    ?.replace(/\r\n[ \t]/g, ' ') ?? null
const states = async () =>
  (
    await bellhop.sql`SELECT side || ' ' || kind || ' ' || state AS line FROM deliveries ORDER BY created_at, id`
  ).map(({ line }) => line)

test('an answer goes to the customer, a question to the desk, each in its own thread', async () => {
  const ticket = opened(await bellhop.file())
  await until(() => desk.mails.length === 1)
  const first = answer(ticket, { body: 'Have you tried again?' })
  await speak(first)
  await until(() => customers.mails.length === 1)
  const second = said(ticket, { body: 'Yes, twice.' })
  await speak(second)
  await until(() => desk.mails.length === 2)
  await speak(answer(ticket, { body: 'A third time?' }))
  await until(() => customers.mails.length === 2)
  await until(async () => (await states()).every((line) => line.endsWith('delivered')))

  const atDesk = messageIds(desk.mails)
  const atCustomer = messageIds(customers.mails)
  expect(atDesk).toEqual(
    [ticket.messageId, second.messageId].map((id) => `<${toId('msg', id)}@acme.example>`),
  )
  for (const id of atCustomer) expect(id).toMatch(/^<dlv_[0-9a-f]{32}@mail\.acme\.example>$/)
  expect(header(customers.mails[0], 'References')).toBeNull()
  expect(header(customers.mails[1], 'In-Reply-To')).toBe(atCustomer[0])
  expect(header(customers.mails[1], 'References')).toBe(atCustomer[0])
  expect(header(desk.mails[1], 'References')).toBe(atDesk[0])
  expect(header(customers.mails[0], 'To')).toContain('ada@example.com')

  // Each of them is on record: that is its receipt.
  const entries = await bellhop.sql`
    SELECT action FROM audit_entries WHERE ticket_id = ${ticket.ticketId} AND action = 'delivery.delivered'`
  expect(entries).toHaveLength(4)
})

test('a desk that hangs holds up no answer, and customers whose mail server is away no question', async () => {
  const ticket = opened(await bellhop.file())
  const release = desk.hold()
  for (let question = 0; question < 8; question++) await speak(said(ticket))
  await until(() => desk.mails.length === 6)
  await speak(answer(ticket))
  await until(() => customers.mails.length === 1)
  release()
  await until(() => desk.mails.length === 9)

  customers.refuseRecipients.push(...Array.from({ length: 20 }, () => 450))
  for (let said = 0; said < 6; said++) await speak(answer(ticket))
  await until(() => customers.refuseRecipients.length <= 14)
  await speak(said(ticket))
  await until(() => desk.mails.length === 10)
})

test('customers whose mailboxes are full hold up nobody else’s answer', async () => {
  const ticket = opened(await bellhop.file())
  customers.refuseRecipients.push(...Array.from({ length: 12 }, () => '452 4.2.2 Mailbox full'))
  for (let said = 0; said < 12; said++) await speak(answer(ticket))
  await until(() => customers.refuseRecipients.length === 0)
  const started = performance.now()
  await speak(answer(ticket, { body: 'This is for Bob.' }))
  await until(() => customers.mails.some((mail) => mail.includes('This is for Bob.')))
  // Their server is there: it is not left alone for five seconds, as one is that does not answer.
  expect(performance.now() - started).toBeLessThan(4000)
})

test('a mail server that relays nothing for the brand is left alone, and the operator is told', async () => {
  const ticket = opened(await bellhop.file())
  customers.refuseRecipients.push(
    ...Array<string>(50).fill('454 4.7.1 <ada@example.com>: Relay access denied'),
  )
  for (let said = 0; said < 5; said++) await speak(answer(ticket))
  // What is due stays so, and is not tried.
  await until(async () => {
    const [due] = await bellhop.sql`
      SELECT count(*)::int AS count, sum(attempts)::int AS attempts FROM deliveries
      WHERE side = 'customer' AND state = 'pending' AND due_at < now() - interval '2 s'`
    return due?.count === 5 && due.attempts >= 5
  })
  const made = await bellhop.sql`
    SELECT outcome, code FROM attempts JOIN deliveries d ON d.id = delivery_id WHERE d.side = 'customer'`
  expect(made.length).toBeLessThan(15)
  expect(made[0]).toEqual({ outcome: 'retry', code: 'smtp_454' })
  const { text } = await bellhop.ask('/metrics')
  expect(text).toContain(`bellhop_delivery_alarms_total{brand="acme"} ${made.length}`)
})

test('an address that no mail can be sent to is refused, and not tried for three days', async () => {
  const ticket = opened(await bellhop.file({ requester_email: '"ada>b"@example.com' }))
  await speak(answer(ticket))
  await until(async () => (await states()).includes('customer message rejected'))
  const [attempt] = await bellhop.sql`
    SELECT outcome, code FROM attempts JOIN deliveries d ON d.id = delivery_id WHERE d.side = 'customer'`
  expect(attempt).toEqual({ outcome: 'permanent', code: 'address_unusable' })
})

test('to an address that bounced meanwhile nothing more is sent, and that is on record', async () => {
  const ticket = opened(await bellhop.file({ requester_email: 'ada@EXAMPLE.com' }))
  await bellhop.sql.begin(async (tx) => {
    await say(tx, deps, answer(ticket))
    await tx`INSERT INTO bounced_addresses (brand_id, address, code) VALUES ('acme', 'ada@example.com', '5.1.1')`
  })
  await until(async () => (await states()).includes('customer message rejected'))
  const [attempt] = await bellhop.sql`
    SELECT outcome, code FROM attempts JOIN deliveries d ON d.id = delivery_id WHERE d.side = 'customer'`
  expect(attempt).toEqual({ outcome: 'permanent', code: 'address_bounced' })
  const entries = await bellhop.sql`
    SELECT action FROM audit_entries WHERE ticket_id = ${ticket.ticketId} AND action = 'delivery.rejected'`
  expect(entries).toHaveLength(1)
  expect(customers.mails).toEqual([])
})

test('an address that is refused as unknown gets no more, and one that is refused otherwise does', async () => {
  const ticket = opened(await bellhop.file({ requester_email: 'ada@EXAMPLE.com' }))
  const bounced = async () => [
    ...(await bellhop.sql`SELECT address, code, delivery_id FROM bounced_addresses`),
  ]
  const rejected = async () => (await states()).filter((line) => line === 'customer message rejected').length
  // The mail is refused, and then the desk's own address: neither is the customer's.
  customers.refuseMails.push(550)
  desk.refuseRecipients.push(550)
  await speak(answer(ticket))
  await speak(said(ticket))
  await until(async () => (await rejected()) === 1 && (await states()).includes('desk message rejected'))
  expect(await bounced()).toEqual([])

  customers.refuseRecipients.push(550)
  const { deliveryIds } = await speak(answer(ticket))
  await until(async () => (await rejected()) === 2)
  expect(await bounced()).toEqual([
    { address: 'ada@example.com', code: 'smtp_550', delivery_id: deliveryIds[0] },
  ])
  await speak(answer(ticket))
  await until(async () => (await rejected()) === 3)
  expect(customers.mails).toHaveLength(1)
})

test('no mail to a customer tells of a note, or of what is held', async () => {
  const ticket = opened(await bellhop.file())
  await speak(answer(ticket, { author: 'note', body: CANARY, authorName: CANARY }))
  await speak(answer(ticket, { heldFor: 'uncertain_text', body: CANARY }))
  await speak(said(ticket, { automatic: true, body: CANARY }))
  await speak(answer(ticket, { body: 'This is all.' }))
  await until(() => customers.mails.length === 1)
  await speak(said(ticket, { body: 'Thank you.' }))
  await until(() => desk.mails.length === 2)
  for (const mail of [...customers.mails, ...desk.mails]) expect(mail).not.toContain(CANARY)
  expect(await states()).toHaveLength(3)
})

test('what was meant for a desk of another kind is refused, and not sent', async () => {
  const ticket = opened(await bellhop.file())
  await until(() => desk.mails.length === 1)
  await bellhop.sql`
    INSERT INTO deliveries (brand_id, id, message_id, side, kind, status, connector, state)
    VALUES ('acme', ${newUuid()}, ${ticket.messageId}, 'desk', 'status', 'solved', 'webhook', 'pending')`
  await until(async () => (await states()).includes('desk status rejected'))
  expect(desk.mails).toHaveLength(1)
})

test('mail for customers waits while the brand sends none', async () => {
  const other = await startBellhop({ brands: (issuer) => [mailBrand('acme', issuer, desk)] })
  try {
    const ticket = opened(await other.file())
    await other.sql.begin((tx) => say(tx, deps, answer(ticket)))
    // A worker has looked at what is due when it has carried what came later.
    const question = said(ticket)
    await other.sql.begin((tx) => say(tx, deps, question))
    await until(() => desk.mails.length === 2)
    const waiting = await other.sql`SELECT state, attempts FROM deliveries WHERE side = 'customer'`
    expect([...waiting]).toEqual([{ state: 'pending', attempts: 0 }])
  } finally {
    await other.stop()
  }
})

test('a worker of an older version, which knows no sides, cannot take what is for the customer to the desk', async () => {
  const ticket = opened(await bellhop.file())
  await bellhop.sql.begin(async (tx) => {
    await say(tx, deps, answer(ticket))
    // As it claims: the connector is that of the desk.
    const claim = tx.savepoint(
      (inner) => inner`UPDATE deliveries SET connector = 'smtp' WHERE side = 'customer'`,
    )
    await expect(claim).rejects.toThrow('deliveries_outlet')
  })
  await until(() => customers.mails.length === 1)
  expect(desk.mails.join('')).not.toContain('Try again.')
})
