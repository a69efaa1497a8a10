import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { until } from '../database/embedded/processes.ts'
import {
  ADA,
  adaAnswers,
  addressOf,
  agentAnswers,
  answerTo,
  bellhop,
  bring,
  deskHeard,
  deskMails,
  file,
  GRACE,
  listOf,
  readTicket,
  startConversations,
  stopConversations,
  story,
  type Ticket,
  toAda,
  toDesk,
} from './conversation-scene.ts'

beforeAll(startConversations, 60_000)
afterAll(stopConversations)

describe.each(['inbox', 'webhook', 'through'] as const)('at the desk %s', (kind) => {
  test('two brands’ conversations go both ways, by product and by mail, and never meet', {
    timeout: 60_000,
  }, async () => {
    const ids = [`acme-${kind}`, `globex-${kind}`]
    const tickets = await Promise.all(ids.map(file))
    for (const [index, brandId] of ids.entries()) {
      const ticket = tickets[index] as Ticket
      const first = `First, to ${brandId}.`
      const [receipt] = await toAda(brandId, 1)
      expect(receipt?.headers.get('auto-submitted')).toBe('auto-replied')
      expect(await deskHeard[kind](brandId, ticket, 1)).toEqual([first])

      // The desk answers, and the customer reads it in both places.
      await agentAnswers[kind](brandId, ticket, `It is on its way, says ${brandId}.`)
      const [, answer] = await toAda(brandId, 2)
      expect(answer?.text).toContain(`It is on its way, says ${brandId}.`)
      expect(answer?.headers.has('auto-submitted')).toBe(false)
      expect(listOf(answer?.references)).toContain(receipt?.messageId)
      expect(answer?.from?.value[0]?.address).toBe(`support@${brandId}.example`)
      expect(await story(ticket)).toEqual([`customer: ${first}`, `agent: It is on its way, says ${brandId}.`])
      // Neither an agent's address nor what was signed for the desk comes with it.
      const bytes = JSON.stringify([answer?.text, answer?.html, (await readTicket(ticket)).text])
      expect(bytes).not.toMatch(/agents\.example|helpdesk|support\+[a-z2-7]{20}/)

      // The customer answers from the mailbox: the newest text, once, on this ticket.
      const raw = await adaAnswers(answer, `From my mailbox, to ${brandId}.`)
      expect(await bring(brandId, raw)).toBe('reply')
      expect(await bring(brandId, raw)).toBe('duplicate')
      expect(await deskHeard[kind](brandId, ticket, 2)).toEqual([first, `From my mailbox, to ${brandId}.`])

      // And from the product.
      const followed = await bellhop.ask(`/v1/support/tickets/${ticket.id}/messages`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ body: `Once more, to ${brandId}.` }),
      })
      expect(followed.status).toBe(201)
      expect(await deskHeard[kind](brandId, ticket, 3)).toEqual([
        first,
        `From my mailbox, to ${brandId}.`,
        `Once more, to ${brandId}.`,
      ])

      // The desk answers that, too, in the customer's thread.
      await agentAnswers[kind](brandId, ticket, `It is there, says ${brandId}.`)
      const [, , last] = await toAda(brandId, 3)
      expect(last?.text).toContain(`It is there, says ${brandId}.`)
      expect(listOf(last?.references)).toEqual(
        expect.arrayContaining([receipt?.messageId, answer?.messageId]),
      )
      expect(listOf(last?.references).join()).toMatch(/<answer-\d+@example\.com>/)
      expect(await story(ticket)).toEqual([
        `customer: ${first}`,
        `agent: It is on its way, says ${brandId}.`,
        `customer: From my mailbox, to ${brandId}.`,
        `customer: Once more, to ${brandId}.`,
        `agent: It is there, says ${brandId}.`,
      ])

      // What was signed by the one brand says nothing at the other, though both have the same key.
      const other = ids[1 - index] ?? ''
      expect(await bring(other, await adaAnswers(last, 'Across.'))).toMatch(/^quarantined /)
    }
    await sumsUp(ids)
  })
})

describe('at the desk direct, whose agents answer the customer themselves', () => {
  test('two brands’ customers write on by mail and product, and the desk hears each thing once', {
    timeout: 60_000,
  }, async () => {
    const ids = ['acme-direct', 'globex-direct']
    for (const brandId of ids) {
      const ticket = await file(brandId)
      const [receipt] = await toAda(brandId, 1)
      const [first] = await toDesk(brandId, 1)
      // The agent's program writes to the requester, from the agent's own mailbox.
      expect(addressOf(first)).toBe('ada@example.com')

      const raw = await adaAnswers(receipt, `From my mailbox, to ${brandId}.`)
      expect(await bring(brandId, raw)).toBe('reply')
      expect(await bring(brandId, raw)).toBe('duplicate')
      expect(await deskMails(brandId, ticket, 2)).toEqual([
        `First, to ${brandId}.`,
        `From my mailbox, to ${brandId}.`,
      ])
      expect(addressOf((await toDesk(brandId, 2))[1])).toBe('ada@example.com')

      // The customer answers the agent, and us in copy: it names a mail of the desk, and is hers.
      const direct = await answerTo(first, {
        by: ADA,
        from: 'Ada Lovelace <ada@example.com>',
        text: `Once more, to ${brandId}.`,
        to: `grace@agents.example, support@${brandId}.example`,
      })
      expect(await bring(brandId, direct)).toBe('reply')
      expect(await deskMails(brandId, ticket, 3)).toHaveLength(3)

      // An agent who answers by us is not let through here: nothing would say which text is meant for whom.
      const agent = await answerTo(first, {
        by: GRACE,
        from: 'Grace <grace@agents.example>',
        text: 'No.',
        to: `support@${brandId}.example`,
      })
      expect(await bring(brandId, agent)).toBe('quarantined stranger')
      expect(await story(ticket)).toEqual([
        `customer: First, to ${brandId}.`,
        `customer: From my mailbox, to ${brandId}.`,
        `customer: Once more, to ${brandId}.`,
      ])
    }
    await sumsUp(ids)
  })
})

/** Every mail that came is settled, and each promise was kept once. */
async function sumsUp(ids: string[]): Promise<void> {
  const undelivered = async () => {
    const [row] = await bellhop.sql<{ count: number }[]>`
      SELECT count(*)::int AS count FROM deliveries WHERE brand_id IN ${bellhop.sql(ids)} AND state <> 'delivered'`
    return row?.count
  }
  await until(async () => (await undelivered()) === 0)
  const [mails] = await bellhop.sql`
    SELECT count(*)::int AS "came", (count(*) FILTER (WHERE state = 'settled'))::int AS settled
    FROM inbound_mails WHERE brand_id IN ${bellhop.sql(ids)}`
  expect(mails?.settled).toBe(mails?.came)
  const crossed = await bellhop.sql`
    SELECT FROM messages m JOIN tickets t ON t.id = m.ticket_id
    WHERE m.brand_id IN ${bellhop.sql(ids)} AND (m.brand_id <> t.brand_id OR m.body LIKE 'Across%')`
  expect(crossed).toHaveLength(0)
}
