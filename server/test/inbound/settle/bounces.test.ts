import { afterAll, beforeAll, beforeEach, describe, expect, it, test } from 'vitest'
import { anEmail, aReport } from './an-email.ts'
import { endOf, type OpenedTicket, type SettleScene, saidOn, setSettleScene, signed } from './settle-scene.ts'

let scene: SettleScene
let ticket: OpenedTicket
let mailed: { deliveryId: string; mailMessageId: string }
beforeAll(async () => {
  scene = await setSettleScene()
})
afterAll(() => scene.stop())
beforeEach(async () => {
  await scene.sql`DELETE FROM bounced_addresses`
  ticket = await scene.open('acme')
  mailed = await scene.answer(ticket)
})

const ADA = 'ada@example.com'
const silenced = async () =>
  (await scene.sql<{ address: string }[]>`SELECT address FROM bounced_addresses`).map(
    ({ address }) => address,
  )
const codeOf = async (deliveryId: string) => {
  const [row] = await scene.sql`
    SELECT bounce_code AS code, bounced_at IS NOT NULL AS bounced FROM deliveries WHERE id = ${deliveryId}`
  return row
}

describe('a report of a mail server', () => {
  it('marks the delivery, silences the address, answers nobody and says nothing on the ticket', async () => {
    const mail = await scene.take('acme', aReport({ recipient: ADA, messageId: mailed.mailMessageId }))
    expect(mail).toMatchObject({ settledAs: 'bounce', deliveryId: mailed.deliveryId, messageId: null })
    expect(await codeOf(mailed.deliveryId)).toEqual({ code: 'hard_5.1.1', bounced: true })
    expect(await silenced()).toEqual([ADA])
    const audit = await scene.sql`
      SELECT actor, ticket_id, delivery_id FROM audit_entries WHERE inbound_mail_id = ${mail.mailId}`
    expect(audit).toEqual([{ actor: 'system', ticket_id: ticket.ticketId, delivery_id: mailed.deliveryId }])
    expect(await saidOn(scene.sql, ticket)).toEqual(['agent: It is on its way.'])
  })

  it('that it is late changes nothing, since it may still arrive, and is written down', async () => {
    const late = { recipient: ADA, messageId: mailed.mailMessageId, action: 'delayed', status: '4.4.7' }
    const mail = await scene.take('acme', aReport(late))
    expect(mail).toMatchObject({ settledAs: 'bounce', deliveryId: mailed.deliveryId })
    expect(await codeOf(mailed.deliveryId)).toEqual({ code: null, bounced: false })
    expect(await silenced()).toEqual([])
    const audit = await scene.sql`
      SELECT action, ticket_id, delivery_id FROM audit_entries WHERE inbound_mail_id = ${mail.mailId}`
    const entry = { action: 'delivery.delayed', ticket_id: ticket.ticketId, delivery_id: mailed.deliveryId }
    expect(audit).toEqual([entry])
  })

  it('that the mailbox is full silences nobody', async () => {
    const full = { recipient: ADA, messageId: mailed.mailMessageId, status: '5.2.2' }
    await scene.take('acme', aReport(full))
    expect(await silenced()).toEqual([])
    // In the end it is for good.
    await scene.take('acme', aReport({ recipient: ADA, messageId: mailed.mailMessageId }))
    expect(await codeOf(mailed.deliveryId)).toEqual({ code: 'hard_5.1.1', bounced: true })
    expect(await silenced()).toEqual([ADA])
  })

  it('that the content, or our host, was refused silences nobody, whatever general code stands before it', async () => {
    const report = { recipient: ADA, messageId: mailed.mailMessageId, status: '5.0.0' }
    await scene.take('acme', aReport({ ...report, answer: '554 192.0.2.1 listed at zen.spamhaus.org' }))
    expect(await codeOf(mailed.deliveryId)).toEqual({ code: 'soft_5.0.0', bounced: true })
    await scene.take('acme', aReport({ ...report, status: '', answer: '554 5.7.1 content' }))
    expect(await silenced()).toEqual([])
    await scene.take('acme', aReport({ ...report, answer: '550 user unknown' }))
    expect(await silenced()).toEqual([ADA])
  })

  it('that came twice is one and its duplicate', async () => {
    const raw = aReport({ recipient: ADA, messageId: mailed.mailMessageId })
    expect(endOf(await scene.take('acme', raw))).toBe('bounce')
    expect(endOf(await scene.take('acme', raw))).toBe('duplicate')
  })

  it('to the signed address, from a server that names no mail, is of the last mail to that address', async () => {
    const report = { recipient: ADA, messageId: '<lost@mx.example.com>', to: signed(ticket) }
    const mail = await scene.take('acme', aReport(report))
    expect(mail).toMatchObject({ settledAs: 'bounce', deliveryId: mailed.deliveryId })
  })
})

describe('a forged report', () => {
  test.each([
    ['of a mail that is none of ours', '<dlv_0190aaaaaaaa7bbb8ccc0123456789ab@acme.example>'],
    ['without our domain', '<x@elsewhere.example>'],
  ])('%s marks nothing', async (_, messageId) => {
    const mail = await scene.take('acme', aReport({ recipient: ADA, messageId }))
    expect(endOf(mail)).toBe('quarantined bounce_unknown')
    expect(await silenced()).toEqual([])
  })

  it('that has the delivery right and its domain wrong marks nothing', async () => {
    const messageId = mailed.mailMessageId.replace('@acme.example', '@evil.example')
    expect(endOf(await scene.take('acme', aReport({ recipient: ADA, messageId })))).toBe(
      'quarantined bounce_unknown',
    )
  })

  it('in another brand marks nothing', async () => {
    const raw = aReport({ recipient: ADA, messageId: mailed.mailMessageId })
    expect(endOf(await scene.take('globex', raw))).toBe('quarantined bounce_unknown')
    expect(await codeOf(mailed.deliveryId)).toMatchObject({ bounced: false })
  })

  it('by whom got one mail silences nobody else', async () => {
    const raw = aReport({ recipient: 'victim@example.net', messageId: mailed.mailMessageId })
    expect(endOf(await scene.take('acme', raw))).toBe('bounce')
    expect(await silenced()).toEqual([])
  })

  it('with somebody else’s signed address silences nobody', async () => {
    const report = { recipient: 'victim@example.net', messageId: '<lost@mx.example.com>', to: signed(ticket) }
    expect(endOf(await scene.take('acme', aReport(report)))).toBe('quarantined bounce_unknown')
    expect(await silenced()).toEqual([])
  })

  it('of a mail that left weeks ago silences nobody', async () => {
    await scene.sql`
      UPDATE deliveries SET finished_at = now() - interval '15 days' WHERE id = ${mailed.deliveryId}`
    await scene.take('acme', aReport({ recipient: ADA, messageId: mailed.mailMessageId }))
    expect(await silenced()).toEqual([])
  })
})

it('a person who quotes a report is heard', async () => {
  const text = `This message was created automatically by mail delivery software.\r\nA message that you sent could not be delivered:\r\n  ${ADA}`
  const fields = [`In-Reply-To: ${mailed.mailMessageId}`, 'X-Failed-Recipients: ada@example.com']
  const raw = anEmail({ to: signed(ticket), subject: 'Mail delivery failed', text, fields })
  expect(endOf(await scene.take('acme', raw))).toBe('reply')
})

describe('a person who answers and attaches a colleague’s report', () => {
  const COLLEAGUE = 'colleague@example.com'
  const status = [
    'Reporting-MTA: dns; mx.example.com',
    '',
    `Final-Recipient: rfc822; ${COLLEAGUE}`,
    'Action: failed',
    'Status: 5.1.1',
    '',
  ].join('\r\n')
  const withReport = (email: Parameters<typeof anEmail>[0] = {}) =>
    anEmail({
      to: signed(ticket),
      text: 'My colleague cannot be reached, see below.',
      fields: [`In-Reply-To: ${mailed.mailMessageId}`],
      files: [{ name: 'details.txt', type: 'message/delivery-status', content: status }],
      ...email,
    })

  it('is heard', async () => {
    expect(endOf(await scene.take('acme', withReport()))).toBe('reply')
    expect(await saidOn(scene.sql, ticket)).toContain('customer: My colleague cannot be reached, see below.')
  })

  it('is seen in quarantine where nothing proves them, and our answer has arrived', async () => {
    const mail = await scene.take('acme', withReport({ verdict: 'fail' }))
    expect(endOf(mail)).toBe('quarantined not_authenticated')
    expect(await codeOf(mailed.deliveryId)).toEqual({ code: null, bounced: false })
  })

  it('waits where DNS cannot tell yet', async () => {
    const unsure = await setSettleScene({
      resolve: async () => {
        throw Object.assign(new Error('no answer'), { code: 'ESERVFAIL' })
      },
    })
    try {
      ticket = await unsure.open('acme')
      mailed = await unsure.answer(ticket)
      await unsure.bring('acme', withReport({ verdict: 'fail' }))
      expect(await unsure.settleNext()).toEqual({ as: 'later' })
    } finally {
      await unsure.stop()
    }
  })
})

it('what a mail answers is no mail that did not arrive, unless a mail server answers it', async () => {
  const form = (fields: string[]) =>
    anEmail({
      from: 'eve@evil.example',
      text: `A message that you sent could not be delivered:\r\n  ${ADA}: 550 user unknown`,
      fields: [`In-Reply-To: ${mailed.mailMessageId}`, ...fields],
    })
  const ofPerson = await scene.take('acme', form([`X-Failed-Recipients: ${ADA}`]))
  expect(endOf(ofPerson)).toBe('quarantined bounce_unknown')
  expect(await silenced()).toEqual([])
  const ofServer = await scene.take('acme', form(['Return-Path: <>']))
  expect(ofServer).toMatchObject({ settledAs: 'bounce', deliveryId: mailed.deliveryId })
})
