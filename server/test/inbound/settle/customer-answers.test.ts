import { afterAll, beforeAll, beforeEach, describe, expect, it, test } from 'vitest'
import { anEmail } from './an-email.ts'
import { endOf, type OpenedTicket, type SettleScene, saidOn, setSettleScene, signed } from './settle-scene.ts'

let scene: SettleScene
let ticket: OpenedTicket
beforeAll(async () => {
  scene = await setSettleScene()
})
afterAll(() => scene.stop())
beforeEach(async () => {
  ticket = await scene.open('acme')
})

const statusOf = async ({ ticketId }: OpenedTicket) => {
  const [row] = await scene.sql`SELECT status, updated_at::text FROM tickets WHERE id = ${ticketId}`
  return row
}

describe('a customer answers by mail', () => {
  it('to the signed address, and it is said once on the ticket, with the newest text', async () => {
    const text =
      'Yes, please.\r\n\r\nOn Mon, 3 Nov 2025 at 10:00, Acme <support@acme.example> wrote:\r\n> -- Please reply above this line --\r\n>\r\n> Hello'
    const mail = await scene.take('acme', anEmail({ to: signed(ticket), subject: 'Re: My order', text }))
    expect(mail).toMatchObject({ settledAs: 'reply', authenticated: true, authorAddress: 'ada@example.com' })
    expect(mail.ticketId).toBe(ticket.ticketId)
    expect(await saidOn(scene.sql, ticket)).toEqual(['customer: Yes, please.'])
    const [row] = await scene.sql`
      SELECT via, whole_text, author_address, inbound_mail_id FROM messages WHERE id = ${mail.messageId}`
    expect(row).toMatchObject({
      via: 'mail',
      author_address: 'ada@example.com',
      inbound_mail_id: mail.mailId,
    })
    expect(row?.whole_text).toContain('> Hello')
    const deliveries = await scene.sql`SELECT side, kind FROM deliveries WHERE message_id = ${mail.messageId}`
    expect(deliveries).toEqual([{ side: 'desk', kind: 'message' }])
    const audit = await scene.sql`
      SELECT actor, action FROM audit_entries WHERE inbound_mail_id = ${mail.mailId}`
    expect(audit).toEqual([{ actor: 'sender', action: 'message.created' }])
  })

  it('by the Message-ID of our mail alone, from a client that drops the address', async () => {
    const { mailMessageId } = await scene.answer(ticket)
    const fields = [`In-Reply-To: ${mailMessageId}`]
    expect(endOf(await scene.take('acme', anEmail({ fields })))).toBe('reply')
    const references = [`References: <x@elsewhere.example> ${mailMessageId}`]
    expect(endOf(await scene.take('acme', anEmail({ fields: references })))).toBe('reply')
  })

  it('by a mail of their own that came before', async () => {
    const first = await scene.take('acme', anEmail({ to: signed(ticket), messageId: '<first@example.com>' }))
    const fields = ['In-Reply-To: <first@example.com>']
    const second = await scene.take('acme', anEmail({ fields }))
    expect(second).toMatchObject({ settledAs: 'reply', ticketId: first.ticketId })
    // Whose mail it is matters: the same Message-ID is nothing to somebody else.
    const other = await scene.take('acme', anEmail({ from: 'eve@evil.example', fields }))
    expect(endOf(other)).toBe('new_ticket')
  })

  it('and a solved ticket is open again, a closed one stays closed', async () => {
    const solved = await scene.open('acme', { status: 'solved' })
    await scene.take('acme', anEmail({ to: signed(solved) }))
    expect(await statusOf(solved)).toMatchObject({ status: 'open' })
    const closed = await scene.open('acme', { status: 'closed' })
    expect(endOf(await scene.take('acme', anEmail({ to: signed(closed) })))).toBe('quarantined ticket_closed')
    expect(await saidOn(scene.sql, closed)).toEqual([])
  })

  it('with files, whose bytes are kept before the row', async () => {
    const files = [{ name: 'photo.png', type: 'image/png', content: 'not really' }]
    const mail = await scene.take('acme', anEmail({ to: signed(ticket), files }))
    const [file] = await scene.sql`SELECT filename, declared_type, encode(sha256, 'hex') AS sha256
      FROM attachments WHERE message_id = ${mail.messageId}`
    expect(file).toMatchObject({ filename: 'photo.png', declared_type: 'image/png' })
    expect(String(await scene.blobs.read(file?.sha256))).toBe('not really')
  })

  it('quoting a signed address, which is in nothing that is shown', async () => {
    const address = signed(ticket)
    const mail = await scene.take('acme', anEmail({ to: address, text: `Write me at ${address} please.` }))
    expect(await saidOn(scene.sql, ticket)).toEqual(['customer: Write me at support@acme.example please.'])
    expect(mail.settledAs).toBe('reply')
  })

  it('with characters that no text column takes, none of which stops it', async () => {
    const raw = anEmail({ to: signed(ticket), text: 'nul \0 and half \ud800 a character' })
    expect(endOf(await scene.take('acme', raw))).toBe('reply')
  })
})

describe('who may speak', () => {
  test.each([
    ['the requester whose mail is not proven', { verdict: 'fail' }, 'quarantined not_authenticated'],
    ['a stranger', { from: 'eve@evil.example' }, 'quarantined stranger'],
    [
      'a stranger with the requester’s name',
      { from: '"ada@example.com" <eve@evil.example>' },
      'quarantined stranger',
    ],
    ['two mailboxes', { from: 'ada@example.com, eve@evil.example' }, 'quarantined from_many_mailboxes'],
    ['another case of the local part', { from: 'ADA@example.com' }, 'quarantined stranger'],
    ['another case of the domain', { from: 'ada@EXAMPLE.com' }, 'reply'],
  ] as [string, Parameters<typeof anEmail>[0], string][])('%s', async (_, email, expected) => {
    expect(endOf(await scene.take('acme', anEmail({ to: signed(ticket), ...email })))).toBe(expected)
  })

  it('a participant under their own address, whom an operator added, and nobody else by Cc', async () => {
    const bob = { from: 'Bob <bob@example.org>', to: signed(ticket) }
    const cc = anEmail({ to: signed(ticket), fields: ['Cc: bob@example.org'] })
    expect(endOf(await scene.take('acme', cc))).toBe('reply')
    expect(endOf(await scene.take('acme', anEmail(bob)))).toBe('quarantined stranger')
    await scene.sql`INSERT INTO participants (brand_id, ticket_id, address, name)
      VALUES ('acme', ${ticket.ticketId}, 'bob@example.org', 'Bob B.')`
    const mail = await scene.take('acme', anEmail(bob))
    expect(endOf(mail)).toBe('reply')
    const [row] = await scene.sql`SELECT author, author_name FROM messages WHERE id = ${mail.messageId}`
    expect(row).toEqual({ author: 'participant', author_name: 'Bob B.' })
  })
})

it('a mail that opens a ticket is said whole: what it quotes is what it is about', async () => {
  const text = 'My journey is\r\nFrom: London\r\nTo: Paris\r\nDate: 5 May 2026\r\n\r\nIt was cancelled.'
  const quoted = `It never came.\r\n\r\nOn Mon, 3 Nov 2025 at 10:00, Shop <shop@example.org> wrote:\r\n> Order 5`
  const tickets = [
    await scene.take('acme', anEmail({ text })),
    await scene.take('acme', anEmail({ text: quoted })),
  ]
  const bodies = await scene.sql`
    SELECT body FROM messages WHERE id IN (${tickets[0]?.messageId ?? ''}, ${tickets[1]?.messageId ?? ''}) ORDER BY created_at`
  expect(bodies.map(({ body }) => body)).toEqual([
    expect.stringContaining('It was cancelled.'),
    expect.stringContaining('> Order 5'),
  ])
  // In an answer, too, what only looks like history is read.
  const answer = await scene.take('acme', anEmail({ to: signed(ticket), text }))
  expect(endOf(answer)).toBe('reply')
  expect((await saidOn(scene.sql, ticket))[0]).toContain('It was cancelled.')
})

describe('signed addresses', () => {
  it('of another ticket point there, where the sender may not speak', async () => {
    const bobs = await scene.open('acme', { email: 'bob@example.org' })
    const to = signed(bobs, 'customer', 'bob@example.org')
    expect(endOf(await scene.take('acme', anEmail({ to })))).toBe('quarantined stranger')
  })
  it('of another brand are no address of this one', async () => {
    const other = await scene.open('globex')
    expect(endOf(await scene.take('acme', anEmail({ to: signed(other) })))).toBe('quarantined not_to_brand')
    // Signed by the other brand's key, in the form of this one's.
    const forged = signed(other).replace('@globex.example', '@acme.example')
    expect(endOf(await scene.take('acme', anEmail({ to: forged })))).toBe('quarantined bad_address')
  })
  it('of the desk’s side make no agent of a customer, nor let them speak', async () => {
    const to = signed(ticket, 'desk', 'helpdesk@acme.example')
    expect(endOf(await scene.take('acme', anEmail({ to })))).toBe('quarantined stranger')
  })
  it('that were signed for nobody on the ticket do not hold', async () => {
    const to = signed(ticket, 'customer', 'mallory@example.org')
    expect(endOf(await scene.take('acme', anEmail({ to })))).toBe('quarantined bad_address')
  })
  it('with one letter changed do not hold, and open no ticket', async () => {
    const good = signed(ticket)
    // Not the last: some of its bits are unused.
    const at = good.indexOf('@') - 3
    const to = `${good.slice(0, at)}${good[at] === 'a' ? 'b' : 'a'}${good.slice(at + 1)}`
    expect(endOf(await scene.take('acme', anEmail({ to })))).toBe('quarantined bad_address')
  })
  it('of two tickets are an answer to neither', async () => {
    const other = await scene.open('acme')
    const to = `${signed(ticket)}, ${signed(other)}`
    expect(endOf(await scene.take('acme', anEmail({ to })))).toBe('quarantined two_tickets')
    expect(await saidOn(scene.sql, ticket)).toEqual([])
    expect(await saidOn(scene.sql, other)).toEqual([])
  })
  it('a number in the subject is none', async () => {
    const subject = `Re: tkt_${ticket.ticketId.replaceAll('-', '')}`
    expect(endOf(await scene.take('acme', anEmail({ subject })))).toBe('new_ticket')
  })
})
