import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import type { Side } from '../../src/connectors/connector.ts'
import { openTicket } from '../../src/conversation/open-ticket.ts'
import { type Said, say } from '../../src/conversation/say.ts'
import { setStatus } from '../../src/conversation/status.ts'
import { type ClaimedDelivery, claimDeliveries } from '../../src/deliveries/delivery.store.ts'
import { newUuid, toId } from '../../src/ids.ts'
import { answer, type Opened, type Scene, said, setScene } from '../conversation/scene.ts'

let scene: Scene
beforeAll(async () => {
  scene = await setScene()
})
afterAll(() => scene.stop())
beforeEach(async () => {
  await scene.sql`UPDATE deliveries SET state = 'delivered', locked_by = NULL, finished_at = now()`
})

const speak = (what: Said) => scene.sql.begin((tx) => say(tx, scene.deps, what))

async function claim(brandId: string, side: Side): Promise<ClaimedDelivery[]> {
  const connector = side === 'customer' ? 'mail' : 'smtp'
  const request = { brandId, side, limit: 100, connector, mailDomain: 'acme.example' }
  const rows = await claimDeliveries(scene.sql, 'test', [request], 100, [])
  return rows.sort((one, other) => (one.deliveryId < other.deliveryId ? -1 : 1))
}

/** A mail that came, of the one who says it. */
async function byMail(what: Said, mailMessageId: string): Promise<void> {
  const id = newUuid()
  await scene.sql`
    INSERT INTO inbound_mails (brand_id, id, way, size, mail_message_id)
    VALUES (${what.brandId}, ${id}, 'imap', 1, ${mailMessageId})`
  await speak({ ...what, via: 'mail', inboundMailId: id })
}

describe('of each side', () => {
  test('only what is for it is claimed', async () => {
    const ticket = await scene.open('through')
    await speak(said(ticket))
    await speak(answer(ticket))
    expect((await claim('through', 'customer')).map(({ side }) => side)).toEqual(['customer'])
    expect((await claim('through', 'desk')).map(({ side }) => side)).toEqual(['desk'])
  })
})

describe('what is told', () => {
  test('of a further question: who says it, and where the ticket stands', async () => {
    const ticket = await scene.open('through')
    const question = said(ticket, {
      author: 'participant',
      authorName: 'Bob',
      html: '<p>And?</p>',
      body: 'And?',
    })
    await speak(question)
    expect(await claim('through', 'desk')).toMatchObject([
      {
        kind: 'message',
        recipient: null,
        first: false,
        speakerKind: 'participant',
        speakerName: 'Bob',
        subject: 'It does not work',
        body: 'And?',
        html: '<p>And?</p>',
        status: null,
        ticketStatus: 'open',
        personId: 'per_ada',
        mailMessageId: `<${toId('msg', question.messageId)}@acme.example>`,
      },
    ])
  })

  test('of a ticket that came by mail: the first message, of nobody', async () => {
    const opened = { brandId: 'through', ticketId: newUuid(), messageId: newUuid() }
    const subject = 'By mail'
    await scene.sql.begin((tx) =>
      openTicket(tx, scene.deps, {
        ...said(opened),
        via: 'mail',
        subject,
        requesterEmail: 'ada@example.com',
        requesterName: 'Ada',
        addressProven: false,
        acknowledge: true,
      }),
    )
    const told = {
      first: true,
      personId: null,
      speakerKind: 'customer',
      speakerName: 'Ada',
      subject,
      thread: [],
    }
    expect(await claim('through', 'desk')).toMatchObject([{ ...told, kind: 'message' }])
    expect(await claim('through', 'customer')).toMatchObject([
      { ...told, kind: 'acknowledgement', recipient: 'ada@example.com', attachments: [] },
    ])
  })

  test('in a notice nothing of what was said, and no file', async () => {
    const ticket = await scene.open('through')
    const sha256 = Buffer.alloc(32, 9)
    const file = {
      attachmentId: newUuid(),
      filename: 'a',
      declaredType: null,
      detectedType: null,
      sha256,
      size: 1,
    }
    await speak(answer(ticket, { html: '<p>Try again.</p>', attachments: [file] }))
    await scene.sql`UPDATE deliveries SET kind = 'notice' WHERE side = 'customer' AND state = 'pending'`
    expect(await claim('through', 'customer')).toMatchObject([
      { kind: 'notice', subject: '', body: '', html: null, attachments: [] },
    ])
  })

  test('of a status: what it became, when it did, and no file of the first message', async () => {
    const ticket = await scene.open('hook')
    await scene.sql`UPDATE messages SET created_at = now() - interval '1 day' WHERE id = ${ticket.messageId}`
    await scene.sql.begin((tx) =>
      setStatus(tx, scene.deps, { ...ticket, status: 'solved', actor: 'person', actorId: null }),
    )
    await scene.sql`UPDATE tickets SET status = 'open' WHERE id = ${ticket.ticketId}`
    const [claimed] = await claim('hook', 'desk')
    expect(claimed).toMatchObject({ kind: 'status', status: 'solved', ticketStatus: 'open', attachments: [] })
    expect(Date.now() - (claimed?.createdAt.getTime() ?? 0)).toBeLessThan(60_000)
  })
})

describe('a thread', () => {
  let ticket: Opened
  beforeEach(async () => {
    ticket = await scene.open('through')
    await scene.sql`
      INSERT INTO participants (brand_id, ticket_id, address)
      VALUES ('through', ${ticket.ticketId}, 'bob@example.com')`
  })

  test('of a customer: what went to them, and what came from customers, but nothing of the desk or held', async () => {
    await byMail(said(ticket), '<ada-1@example.com>')
    await byMail(answer(ticket), '<grace-1@acme.example>')
    await byMail(said(ticket, { author: 'participant' }), '<bob-1@example.com>')
    await byMail(said(ticket, { heldFor: 'loop' }), '<held@example.com>')
    await byMail(said(ticket, { automatic: true }), '<machine@example.com>')
    const earlier = await scene.sql<{ id: string; recipient: string }[]>`
      SELECT mail_message_id AS id, recipient FROM deliveries WHERE side = 'customer' AND state = 'pending'`
    await scene.sql`UPDATE deliveries SET state = 'delivered', finished_at = now() WHERE state = 'pending'`
    await speak(answer(ticket))
    const claimed = await claim('through', 'customer')
    expect(claimed).toHaveLength(2)
    for (const { recipient, thread } of claimed) {
      const own = earlier.find((row) => row.recipient === recipient)?.id
      expect(thread).toEqual(['<ada-1@example.com>', own, '<bob-1@example.com>'])
    }
  })

  test('of the desk: what went there, and what came from agents', async () => {
    await byMail(said(ticket), '<ada-1@example.com>')
    await byMail(answer(ticket), '<grace-1@acme.example>')
    const [first] = await scene.sql`
      SELECT mail_message_id AS id FROM deliveries WHERE side = 'desk' AND state = 'pending'`
    await scene.sql`UPDATE deliveries SET state = 'delivered', finished_at = now() WHERE state = 'pending'`
    await speak(said(ticket))
    expect(await claim('through', 'desk')).toMatchObject([{ thread: [first?.id, '<grace-1@acme.example>'] }])
  })

  test('of a mail that is returned ends with the mail that it is about', async () => {
    const held = { heldFor: 'uncertain_text', authorAddress: 'grace@acme.example' }
    await byMail(answer(ticket, held), '<grace-1@acme.example>')
    expect(await claim('through', 'desk')).toMatchObject([
      { kind: 'returned', recipient: 'grace@acme.example', thread: ['<grace-1@acme.example>'] },
    ])
  })

  test('names twenty mails at most: the first, and the newest', async () => {
    for (let count = 1; count <= 25; count++) await byMail(said(ticket), `<ada-${count}@example.com>`)
    await speak(answer(ticket))
    const [claimed] = await claim('through', 'customer')
    const numbers = [1, ...Array.from({ length: 19 }, (_, index) => index + 7)]
    expect(claimed?.thread).toEqual(numbers.map((number) => `<ada-${number}@example.com>`))
  })
})
