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

describe('an agent answers from the mailbox', () => {
  const agent = { from: 'Grace <grace@acme.example>', text: 'It is on its way.' }
  const desk = () => signed(ticket, 'desk', 'helpdesk@acme.example')

  it('and the customer is mailed the newest text', async () => {
    const mail = await scene.take('acme', anEmail({ ...agent, to: desk() }))
    expect(endOf(mail)).toBe('reply')
    expect(await saidOn(scene.sql, ticket)).toEqual(['agent: It is on its way.'])
    const deliveries = await scene.sql`
      SELECT side, kind, recipient FROM deliveries WHERE message_id = ${mail.messageId}`
    expect(deliveries).toEqual([{ side: 'customer', kind: 'message', recipient: 'ada@example.com' }])
  })

  it('and no address that was signed for somebody goes along, of whichever brand', async () => {
    const other = await scene.open('globex')
    const text = `See ${signed(ticket)} and ${signed(other)}.`
    await scene.take('acme', anEmail({ ...agent, text, to: desk() }))
    expect(await saidOn(scene.sql, ticket)).toEqual([
      'agent: See support@acme.example and support@globex.example.',
    ])
  })

  it('and what a colleague wrote above our mail goes to no customer', async () => {
    const text = [
      'It is on its way.',
      '',
      'On Mon, 3 Nov 2025 at 10:00, Alice <alice@acme.example> wrote:',
      '> canary',
      '>',
      '> On Mon, 3 Nov 2025 at 09:00, Acme <support@acme.example> wrote:',
      '>> -- Please reply above this line --',
      '>> Hello',
    ]
    const mail = await scene.take('acme', anEmail({ ...agent, text: text.join('\r\n'), to: desk() }))
    expect(endOf(mail)).toBe('reply')
    expect(await saidOn(scene.sql, ticket)).toEqual(['agent (uncertain_text): It is on its way.'])
    const deliveries = await scene.sql`SELECT side FROM deliveries WHERE message_id = ${mail.messageId}`
    expect(deliveries).toEqual([{ side: 'desk' }])
  })

  it('in HTML that is too large to be shown, of which no customer gets what it quotes', async () => {
    const picture = `<img src="data:image/png;base64,${'A'.repeat(400 * 1024)}">`
    const rich = `<p>It is on its way.</p>${picture}<p>-- Please reply above this line --</p><p>canary</p>`
    const part = (type: string, text: string) => `--edge\r\nContent-Type: text/${type}\r\n\r\n${text}\r\n`
    const mail = (parts: string[], email: Parameters<typeof anEmail>[0] = { ...agent, to: desk() }) =>
      Buffer.from(
        String(anEmail({ ...email, text: `${parts.join('')}--edge--` })).replace(
          /Content-Type: .*/,
          'Content-Type: multipart/alternative; boundary="edge"',
        ),
      )
    const both = await scene.take('acme', mail([part('plain', agent.text), part('html', rich)]))
    const alone = await scene.take('acme', mail([part('html', rich)]))
    expect([endOf(both), endOf(alone)]).toEqual(['reply', 'reply'])
    expect(await saidOn(scene.sql, ticket)).toEqual([
      'agent: It is on its way.',
      expect.stringMatching(/^agent \(uncertain_text\): .*canary/s),
    ])
    const files = await scene.sql`
      SELECT FROM attachments WHERE message_id IN (${both.messageId}, ${alone.messageId})`
    expect(files).toHaveLength(0)
    // Nor in the form that some programs write for others.
    const enriched = await scene.take(
      'acme',
      mail([part('plain', agent.text), part('enriched', 'canary'), part('calendar', 'BEGIN:VCALENDAR')]),
    )
    const forms = await scene.sql`SELECT filename FROM attachments WHERE message_id = ${enriched.messageId}`
    expect(forms).toEqual([{ filename: 'calendar.ics' }])
    // Of a customer's nothing is lost.
    const whole = await scene.take('acme', mail([part('html', rich)], { to: signed(ticket) }))
    const kept = await scene.sql`SELECT filename FROM attachments WHERE message_id = ${whole.messageId}`
    expect(kept).toEqual([{ filename: 'message.html' }])
  })

  it('with files of their own, and without what their mail program wrote once more beside them', async () => {
    const part = (fields: string, text: string) => `${fields}\r\n\r\n${text}\r\n`
    const parts = (subtype: string, edge: string, inside: string[]) =>
      part(
        `Content-Type: multipart/${subtype}; boundary="${edge}"`,
        `${inside.map((one) => `--${edge}\r\n${one}`).join('')}--${edge}--`,
      )
    const take = async (mail: string, to = desk()) => {
      const head = String(anEmail({ ...agent, to })).replace(/Content-Type: .*/s, '')
      return await scene.take('acme', Buffer.from(`${head}${mail}`))
    }
    const filesOf = async ({ messageId }: { messageId: string | null }) => {
      const rows = await scene.sql`
        SELECT filename FROM attachments WHERE message_id = ${messageId} ORDER BY filename`
      return rows.map(({ filename }) => filename)
    }
    const text = part('Content-Type: text/plain', agent.text)
    const named = 'Content-Type: text/html\r\nContent-Disposition: inline; filename=message.html'
    const picture = part('Content-Type: image/png; name=a.png\r\nContent-ID: <a>', 'png')
    const rich = parts('related', 'in', [part(named, '<p>canary</p>'), picture])
    const prices = 'Content-Type: text/csv\r\nContent-Disposition: attachment; filename=prices.csv'
    const alternatives = parts('alternative', 'edge', [text, rich, part(prices, '1,2')])
    const sent = await take(alternatives)
    expect(await filesOf(sent)).toEqual(['a.png', 'prices.csv'])

    const ofMail = (id: string) =>
      part('Content-Type: message/rfc822', `Message-ID: <${id}>\r\nSubject: Help\r\n\r\ncanary`)
    const ours = ofMail('msg_0190aaaaaaaa7bbb8ccc0123456789ab@acme.example')
    const attached = parts('mixed', 'edge', [text, ours, ofMail('1@supplier.example')])
    expect(await filesOf(await take(attached))).toEqual(['message.eml'])

    const outlooks = parts('mixed', 'edge', [text, part('Content-Type: application/ms-tnef', 'canary')])
    const held = await take(outlooks)
    expect(await filesOf(held)).toEqual(['winmail.dat'])
    expect(await saidOn(scene.sql, ticket)).toEqual([
      'agent: It is on its way.',
      'agent: It is on its way.',
      'agent (uncertain_text): It is on its way.',
    ])
    const deliveries = await scene.sql`
      SELECT side, kind FROM deliveries WHERE message_id = ${held.messageId}`
    expect(deliveries).toEqual([{ side: 'desk', kind: 'returned' }])
  })

  it('and an answer without text of its own is held, and comes back to them', async () => {
    const before = await statusOf(ticket)
    const text =
      'On Mon, 3 Nov 2025 at 10:00, Ada <support@acme.example> wrote:\r\n> -- Please reply above this line --\r\n>\r\n> Where is it?'
    const mail = await scene.take('acme', anEmail({ ...agent, to: desk(), text }))
    expect(await saidOn(scene.sql, ticket)).toEqual([expect.stringMatching(/^agent \(empty_text\): /)])
    const deliveries = await scene.sql`
      SELECT side, kind, recipient FROM deliveries WHERE message_id = ${mail.messageId}`
    expect(deliveries).toEqual([{ side: 'desk', kind: 'returned', recipient: 'grace@acme.example' }])
    expect(await statusOf(ticket)).toEqual(before)
  })

  test.each([
    ['of an address that is named', { from: 'Grace <GRACE@acme.example>' }, 'reply'],
    ['of a domain that is named', { from: 'x@help.acme.example' }, 'reply'],
    ['of a domain below it', { from: 'x@a.help.acme.example' }, 'quarantined stranger'],
    ['of nobody who is named', { from: 'x@acme.example' }, 'quarantined stranger'],
    ['whose mail is not proven', { ...agent, verdict: 'fail' }, 'quarantined not_authenticated'],
  ] as [string, Parameters<typeof anEmail>[0], string][])('one %s', async (_, email, expected) => {
    expect(endOf(await scene.take('acme', anEmail({ ...agent, to: desk(), ...email })))).toBe(expected)
  })

  it('not through the customer’s address, nor by the customer’s mail', async () => {
    const { mailMessageId } = await scene.answer(ticket)
    expect(endOf(await scene.take('acme', anEmail({ ...agent, to: signed(ticket) })))).toBe(
      'quarantined stranger',
    )
    const fields = [`In-Reply-To: ${mailMessageId}`]
    expect(endOf(await scene.take('acme', anEmail({ ...agent, fields })))).toBe('quarantined stranger')
  })

  it('not at a desk that does not answer through us', async () => {
    const other = await scene.open('globex')
    const to = signed(other, 'desk', 'helpdesk@acme.example')
    expect(endOf(await scene.take('globex', anEmail({ ...agent, to })))).toBe('quarantined bad_address')
  })
})
