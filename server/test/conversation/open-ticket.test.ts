import { afterEach, beforeEach, expect, test } from 'vitest'
import { ACKNOWLEDGEMENTS_PER_HOUR } from '../../src/conversation/open-ticket.store.ts'
import { type Opened as OpenedByMail, openTicket } from '../../src/conversation/open-ticket.ts'
import { newUuid } from '../../src/ids.ts'
import { deliveriesOf, entriesOf, type Scene, setScene } from './scene.ts'

let scene: Scene
beforeEach(async () => {
  scene = await setScene()
})
afterEach(() => scene.stop())

const mail = (brandId: string, what: Partial<OpenedByMail> = {}): OpenedByMail => ({
  brandId,
  ticketId: newUuid(),
  messageId: newUuid(),
  subject: 'It does not work',
  requesterEmail: 'ada@EXAMPLE.com',
  requesterName: 'Ada',
  addressProven: true,
  acknowledge: true,
  via: 'mail',
  body: 'It does not work.',
  wholeText: 'It does not work.\n-- \nAda',
  html: null,
  inboundMailId: null,
  attachments: [],
  actor: 'sender',
  actorId: null,
  ...what,
})
const open = async (opened: OpenedByMail) => {
  await scene.sql.begin((tx) => openTicket(tx, scene.deps, opened))
  return opened
}

test('a ticket that comes by mail has no person, goes to the desk, and is acknowledged', async () => {
  const opened = await open(mail('through'))
  const [ticket] = await scene.sql`
    SELECT via, person_id, issuer, requester_email, address_proven, status FROM tickets WHERE id = ${opened.ticketId}`
  expect(ticket).toEqual({
    via: 'mail',
    person_id: null,
    issuer: null,
    requester_email: 'ada@example.com',
    address_proven: true,
    status: 'open',
  })
  expect(await deliveriesOf(scene.sql, opened)).toEqual([
    'customer acknowledgement ada@example.com',
    'desk message',
  ])
  expect(await entriesOf(scene.sql, opened)).toEqual(['sender ticket.created'])
})

test('it is not acknowledged where nobody asks, the brand sends no mail, or the address bounced', async () => {
  const silent = await open(mail('through', { acknowledge: false }))
  const mailless = await open(mail('inbox'))
  await scene.sql`INSERT INTO bounced_addresses (brand_id, address, code) VALUES ('hook', 'ada@example.com', '5.1.1')`
  const bounced = await open(mail('hook'))
  for (const opened of [silent, mailless, bounced]) {
    expect(await deliveriesOf(scene.sql, opened)).toEqual(['desk message'])
  }
})

test('one address is told of so many within an hour', async () => {
  for (let count = 0; count < ACKNOWLEDGEMENTS_PER_HOUR; count++) await open(mail('through'))
  expect(await deliveriesOf(scene.sql, await open(mail('through')))).toEqual(['desk message'])
  const other = await open(mail('through', { requesterEmail: 'bob@example.com' }))
  expect(await deliveriesOf(scene.sql, other)).toHaveLength(2)
  await scene.sql`UPDATE deliveries SET created_at = now() - interval '61 minutes'`
  expect(await deliveriesOf(scene.sql, await open(mail('through')))).toHaveLength(2)
})
