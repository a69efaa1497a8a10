import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
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

describe('a new ticket by mail', () => {
  it('has no person, is proven by the mail, and is acknowledged', async () => {
    const mail = await scene.take('acme', anEmail({ from: 'Nina <nina@example.net>' }))
    expect(endOf(mail)).toBe('new_ticket')
    const [row] = await scene.sql`SELECT * FROM tickets WHERE id = ${mail.ticketId}`
    expect(row).toMatchObject({
      person_id: null,
      via: 'mail',
      address_proven: true,
      requester_email: 'nina@example.net',
      requester_name: 'Nina',
      subject: 'My order',
      status: 'open',
    })
    const deliveries = await scene.sql`
      SELECT side, kind FROM deliveries WHERE message_id = ${mail.messageId} ORDER BY side`
    expect(deliveries).toEqual([
      { side: 'customer', kind: 'acknowledgement' },
      { side: 'desk', kind: 'message' },
    ])
  })

  it('of somebody unproven is marked, and not acknowledged', async () => {
    const mail = await scene.take('acme', anEmail({ from: 'nina@example.net', verdict: 'fail' }))
    expect(endOf(mail)).toBe('new_ticket')
    const [row] = await scene.sql`SELECT address_proven FROM tickets WHERE id = ${mail.ticketId}`
    expect(row).toEqual({ address_proven: false })
    const kinds = await scene.sql`SELECT kind FROM deliveries WHERE message_id = ${mail.messageId}`
    expect(kinds).toEqual([{ kind: 'message' }])
  })

  it('from a mailing list is not acknowledged', async () => {
    const mail = await scene.take('acme', anEmail({ fields: ['List-Id: <all.example.com>'] }))
    expect(endOf(mail)).toBe('new_ticket')
    const kinds = await scene.sql`SELECT kind FROM deliveries WHERE message_id = ${mail.messageId}`
    expect(kinds).toEqual([{ kind: 'message' }])
  })

  it('is not opened by the brand’s own address', async () => {
    const mail = await scene.take('acme', anEmail({ from: 'support@acme.example' }))
    expect(endOf(mail)).toBe('quarantined own_mail')
  })
})

describe('duplicates', () => {
  it('are told by Message-ID, proven author and body, and said once', async () => {
    const raw = anEmail({ to: signed(ticket), messageId: '<twice@example.com>' })
    expect(endOf(await scene.take('acme', raw))).toBe('reply')
    expect(endOf(await scene.take('acme', raw))).toBe('duplicate')
    const other = anEmail({ to: signed(ticket), messageId: '<twice@example.com>', text: 'Something else.' })
    expect(endOf(await scene.take('acme', other))).toBe('reply')
    expect(await saidOn(scene.sql, ticket)).toHaveLength(2)
  })

  it('a quarantined one shadows nothing', async () => {
    const email = { to: signed(ticket), messageId: '<later@example.com>' }
    expect(endOf(await scene.take('acme', anEmail({ ...email, verdict: 'fail' })))).toBe(
      'quarantined not_authenticated',
    )
    expect(endOf(await scene.take('acme', anEmail(email)))).toBe('reply')
  })

  it('are another brand’s own', async () => {
    const email = { messageId: '<both@example.com>', to: 'support@acme.example, support@globex.example' }
    expect(endOf(await scene.take('acme', anEmail(email)))).toBe('new_ticket')
    expect(endOf(await scene.take('globex', anEmail(email)))).toBe('new_ticket')
  })

  it('without a Message-ID are told by what the sender wrote into the head, whoever carried them', async () => {
    const email = { to: signed(ticket), messageId: null }
    const raw = anEmail(email)
    expect(endOf(await scene.take('acme', raw))).toBe('reply')
    expect(endOf(await scene.take('acme', raw))).toBe('duplicate')
    const trace = ['Return-Path: <ada@example.com>', 'Received: from a.example by b.example; now', 'X-Id: 2']
    const carried = String(anEmail({ ...email, fields: trace })).replace('My order', '\r\n My order')
    expect(endOf(await scene.take('acme', Buffer.from(carried)))).toBe('duplicate')
    expect(await saidOn(scene.sql, ticket)).toEqual(['customer: It has not arrived.'])
  })

  it('without a Message-ID the same words on another day, to another mail or by another are not one', async () => {
    const { mailMessageId } = await scene.answer(ticket)
    const email = { to: signed(ticket), messageId: null }
    for (const other of [
      {},
      { date: 'Tue, 4 Nov 2025 10:00:00 +0000' },
      { subject: 'Re: My order' },
      { fields: [`In-Reply-To: ${mailMessageId}`] },
    ])
      expect(endOf(await scene.take('acme', anEmail({ ...email, ...other })))).toBe('reply')
    const forged = anEmail({ ...email, verdict: 'fail' })
    expect(endOf(await scene.take('acme', forged))).toBe('quarantined not_authenticated')
  })

  it('two with neither a Message-ID nor a date are two', async () => {
    const raw = anEmail({ to: signed(ticket), messageId: null, date: null })
    expect(endOf(await scene.take('acme', raw))).toBe('reply')
    expect(endOf(await scene.take('acme', raw))).toBe('reply')
  })
})

describe('automatic mail', () => {
  const vacation = { fields: ['Auto-Submitted: auto-replied'], text: 'I am away. canary' }
  it('is kept on its ticket, moves nothing and reaches nobody', async () => {
    const solved = await scene.open('acme', { status: 'solved' })
    const before = await statusOf(solved)
    const mail = await scene.take('acme', anEmail({ to: signed(solved), ...vacation }))
    expect(endOf(mail)).toBe('automatic')
    expect(await saidOn(scene.sql, solved)).toEqual(['customer (automatic): I am away. canary'])
    expect(await statusOf(solved)).toEqual(before)
    expect(await scene.sql`SELECT FROM deliveries WHERE message_id = ${mail.messageId}`).toHaveLength(0)
  })
  it('without a ticket is quarantined, and nothing is answered', async () => {
    expect(endOf(await scene.take('acme', anEmail(vacation)))).toBe('quarantined automatic')
  })
})

describe('loops', () => {
  it('two machines that say nothing of themselves stop at twenty', async () => {
    const ends: string[] = []
    for (let n = 0; n < 25; n++) {
      // Whatever is said on our side, the other side answers at once.
      const { mailMessageId } = await scene.answer(ticket)
      ends.push(
        endOf(
          await scene.take(
            'acme',
            anEmail({ to: signed(ticket), fields: [`In-Reply-To: ${mailMessageId}`] }),
          ),
        ),
      )
    }
    expect(ends.filter((end) => end === 'reply')).toHaveLength(20)
    expect(ends.slice(20)).toEqual(Array(5).fill('quarantined loop'))
    // An hour later the person is heard again.
    await scene.sql`UPDATE messages SET created_at = created_at - interval '61 minutes' WHERE ticket_id = ${ticket.ticketId}`
    expect(endOf(await scene.take('acme', anEmail({ to: signed(ticket) })))).toBe('reply')
  })

  it('our own mail that comes back as it is says nothing', async () => {
    const { mailMessageId } = await scene.answer(ticket)
    const own = anEmail({ from: 'ada@example.com', to: signed(ticket), messageId: mailMessageId })
    expect(endOf(await scene.take('acme', own))).toBe('quarantined own_mail')
  })
})

it('a mail that cannot be read is quarantined, and its bytes are there', async () => {
  const parts = Array.from({ length: 201 }, () => '--edge\r\n\r\nx').join('\r\n')
  const raw = Buffer.from(
    `From: ada@example.com\r\nContent-Type: multipart/mixed; boundary=edge\r\n\r\n${parts}\r\n--edge--\r\n`,
  )
  const mail = await scene.take('acme', raw)
  expect(endOf(mail)).toMatch(/^quarantined unreadable_too_/)
  expect(await scene.blobs.read(mail.sha256 ?? '')).toEqual(raw)
})
