import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { readFacts } from '../../../src/inbound/facts.ts'
import { releaseMail } from '../../../src/inbound/quarantine.ts'
import { aReadMail, proven } from './a-read-mail.ts'
import { anEmail, aReport } from './an-email.ts'
import {
  BRANDS,
  endOf,
  type OpenedTicket,
  type SettleScene,
  saidOn,
  setSettleScene,
  signed,
} from './settle-scene.ts'

let scene: SettleScene
let ticket: OpenedTicket
beforeAll(async () => {
  scene = await setSettleScene()
})
afterAll(() => scene.stop())
beforeEach(async () => {
  ticket = await scene.open('acme')
})

const deliveriesOf = async ({ ticketId }: OpenedTicket) =>
  (
    await scene.sql<{ line: string }[]>`
      SELECT concat_ws(' ', d.side, d.kind, d.recipient) AS line FROM deliveries d
      JOIN messages m ON m.id = d.message_id WHERE m.ticket_id = ${ticketId} ORDER BY d.created_at, d.id`
  ).map(({ line }) => line)

describe('machines', () => {
  it.each([
    ['Auto-Submitted behind a comment', ['Auto-Submitted: (vacation) auto-replied']],
    ['a second Auto-Submitted', ['Auto-Submitted: no', 'Auto-Submitted: auto-replied']],
    ['a second Precedence', ['Precedence: list', 'Precedence: bulk']],
    ['Precedence behind a comment', ['Precedence: (x) junk']],
    ['Precedence with a comma', ['Precedence: bulk, list']],
    ['an empty return path', ['Return-Path: <>']],
    ['X-Autoreply', ['X-Autoreply: yes']],
  ])('are told by %s', async (_, fields) => {
    const line = await scene.take('acme', anEmail({ to: signed(ticket), fields }))
    expect(endOf(line)).toBe('automatic')
  })

  it('of a customer do not open a solved ticket again', async () => {
    await scene.sql`UPDATE tickets SET status = 'solved', solved_at = now() WHERE id = ${ticket.ticketId}`
    const [before] = await scene.sql`SELECT status, updated_at FROM tickets WHERE id = ${ticket.ticketId}`
    await scene.take('acme', anEmail({ to: signed(ticket), fields: ['Auto-Submitted: auto-replied'] }))
    expect(
      (await scene.sql`SELECT status, updated_at FROM tickets WHERE id = ${ticket.ticketId}`)[0],
    ).toEqual(before)
  })

  it('of an agent who is out of office reach no customer', async () => {
    const to = signed(ticket, 'desk', 'helpdesk@acme.example')
    const mail = {
      from: 'Grace <grace@acme.example>',
      to,
      text: 'I am away.',
      fields: ['Auto-Submitted: auto-replied'],
    }
    expect(endOf(await scene.take('acme', anEmail(mail)))).toBe('automatic')
    expect(await saidOn(scene.sql, ticket)).toEqual(['agent (automatic): I am away.'])
    expect(await deliveriesOf(ticket)).toEqual([])
  })
})

describe('a mail again', () => {
  it('with the same Message-ID and another body is another mail', async () => {
    const messageId = '<again@example.com>'
    expect(endOf(await scene.take('acme', anEmail({ to: signed(ticket), messageId, text: 'One.' })))).toBe(
      'reply',
    )
    expect(endOf(await scene.take('acme', anEmail({ to: signed(ticket), messageId, text: 'Two.' })))).toBe(
      'reply',
    )
    expect(endOf(await scene.take('acme', anEmail({ to: signed(ticket), messageId, text: 'One.' })))).toBe(
      'duplicate',
    )
  })

  it('is not shadowed by the one that somebody forged before it', async () => {
    const mail = { to: signed(ticket), messageId: '<shadow@example.com>' }
    expect(endOf(await scene.take('acme', anEmail({ ...mail, verdict: 'fail' })))).toBe(
      'quarantined not_authenticated',
    )
    expect(endOf(await scene.take('acme', anEmail(mail)))).toBe('reply')
  })

  it('is a duplicate wherever it was sent to', async () => {
    const second = await scene.open('acme')
    const mail = { text: 'Please close it.', messageId: '<both@example.com>' }
    expect(endOf(await scene.take('acme', anEmail({ ...mail, to: signed(ticket) })))).toBe('reply')
    const line = await scene.take('acme', anEmail({ ...mail, to: signed(second) }))
    expect(endOf(line)).toBe('duplicate')
  })
})

it('20 MB of text are quarantined within the time of a reading', { timeout: 30_000 }, async () => {
  const text = `${'Where is it? '.repeat(6)}\r\n`.repeat(260_000)
  const line = await scene.take('acme', anEmail({ to: signed(ticket), text }))
  expect(endOf(line)).toMatch(/^quarantined (text_too_large|unreadable_too_slow)$/)
  expect(await saidOn(scene.sql, ticket)).toEqual([])
})

it('a text over what anybody may send is attached where an operator releases it, and not said', async () => {
  const line = await scene.take(
    'acme',
    anEmail({ to: signed(ticket), text: 'Where is it?\r\n'.repeat(200_000) }),
  )
  expect(endOf(line)).toBe('quarantined text_too_large')
  await releaseMail(scene.deps, { ...line, sha256: line.sha256 ?? '' }, ticket.ticketId, 'root')
  const [said] = await scene.sql`
    SELECT m.body, octet_length(coalesce(m.whole_text, '') || coalesce(m.html, '')) AS more, a.filename
    FROM messages m JOIN attachments a ON a.message_id = m.id WHERE m.ticket_id = ${ticket.ticketId}`
  expect(said).toMatchObject({ more: 0, filename: 'mail.eml' })
  expect(said?.body.length).toBeLessThan(200)
})

it('a ticket that holds as much as may be read at once takes no more by mail either', async () => {
  const grow = (author: string) => scene.sql`
    INSERT INTO messages (brand_id, id, ticket_id, author, body)
    SELECT 'acme', gen_random_uuid(), ${ticket.ticketId}, ${author}, repeat('Where is it? ', 200000)
    FROM generate_series(1, 14)`
  // What the customer does not read counts for nothing.
  await grow('note')
  expect(endOf(await scene.take('acme', anEmail({ to: signed(ticket) })))).toBe('reply')
  await grow('customer')
  expect(endOf(await scene.take('acme', anEmail({ to: signed(ticket) })))).toBe('quarantined ticket_full')
})

describe('a NUL, which no text column takes,', () => {
  const ours = `<dlv_${'1'.repeat(32)}@acme\0.example>`
  it.each([
    ['in a Message-ID that is named', anEmail({ fields: ['In-Reply-To: <a\0b@example.com>'] }), 'new_ticket'],
    ['in one of our form', anEmail({ fields: [`References: ${ours}`] }), 'new_ticket'],
    ['in its own Message-ID', anEmail({ messageId: ours }), 'new_ticket'],
    [
      'in what a report names',
      aReport({ recipient: 'a\0da@example.com', messageId: ours }),
      'quarantined bounce_unknown',
    ],
    [
      'in the name of its author',
      anEmail({ from: '"A\0da" <ada@example.com>' }),
      'quarantined from_unreadable',
    ],
    ['in its subject and its text', anEmail({ subject: 'My\0order', text: 'No\0t here.' }), 'new_ticket'],
  ])('%s stops nothing', async (_, raw, end) => {
    expect(endOf(await scene.take('acme', raw))).toBe(end)
  })

  it('that a reader left in whatever is looked up stops nothing either', async () => {
    const [brand] = BRANDS
    if (brand === undefined) throw new Error('no brand')
    await scene.answer(ticket)
    const address = 'a\0da@example.com'
    const facts = await readFacts(
      scene.sql,
      brand,
      aReadMail({
        from: { address, name: 'A\0da' },
        authentication: proven({ address }),
        messageId: ours,
        inReplyTo: [ours, '<a\0b@example.com>'],
        references: ['<\ud800@example.com>'],
        recipients: [signed(ticket), signed(ticket, 'customer', address)],
        bounce: { kind: 'hard', recipient: address, status: null, originalMessageId: ours, isOfServer: true },
      }),
      { fingerprint: null, isTooLong: false, mayWait: true },
    )
    expect(facts).toMatchObject({ bounceOf: null, tickets: [{ ticketId: ticket.ticketId, speaker: null }] })
  })

  it('in a report to the signed address neither', async () => {
    await scene.answer(ticket)
    const to = signed(ticket)
    const line = await scene.take(
      'acme',
      aReport({ recipient: 'ada\0@example.com', messageId: '<none@example.com>', to }),
    )
    expect(endOf(line)).toBe('quarantined bounce_unknown')
  })
})
