import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Brand } from '../../src/config.ts'
import type { OutgoingMessage } from '../../src/connectors/connector.ts'
import { createCustomerMailConnector } from '../../src/connectors/customer-mail.connector.ts'
import { fromId } from '../../src/ids.ts'
import { MARKER } from '../../src/mail/marker.ts'
import { readReplyAddress, signReplyAddress } from '../../src/mail/reply-address.ts'
import { brandOf } from '../bellhop.ts'
import { answer, brand, INBOUND, LINK, MAIL, REPLY, sendTo, THREAD } from './a-customer-mail.ts'
import { startMailSink } from './mail-sink.ts'
import { NEVER, outgoingAttachment, outgoingMessage } from './outgoing-message.ts'

let sink: Awaited<ReturnType<typeof startMailSink>>
beforeAll(async () => {
  sink = await startMailSink()
})
afterAll(() => sink.close())

const sent = (message: OutgoingMessage, settings?: Partial<Brand>) => sendTo(sink, message, settings)

describe('mail to a customer', () => {
  test('an answer comes from the brand, in the thread, and answers come back to its ticket', async () => {
    const { envelope, parsed, header, text } = await sent(answer())
    expect(envelope).toEqual({ from: 'support@acme.example', to: ['ada@example.com'] })
    expect(parsed.from?.text).toBe('"Acme Support" <support@acme.example>')
    expect(parsed.to).toMatchObject({ text: 'ada@example.com' })
    expect(parsed.subject).toBe('Re: The export stops at row 1000')
    expect(parsed.messageId).toBe('<dlv_0199c0ffee007000800000000000000d@acme.example>')
    expect(parsed.inReplyTo).toBe(THREAD.inReplyTo)
    expect(parsed.references).toEqual(THREAD.references)
    expect(parsed.date?.toISOString()).toBe('2026-03-01T09:30:00.000Z')
    expect(header('x-bellhop-ticket')).toBe('tkt_0199c0ffee007000800000000000000a')
    expect(header('auto-submitted')).toBe(undefined)
    expect(text).toBe(`${MARKER}\n\nLifted. Try again.\n\nBob, Acme\n\nThe whole conversation: ${LINK}`)
    expect(parsed.html).toContain('Lifted. Try again.')
    expect(signedFor(parsed.replyTo?.value[0]?.address)).toEqual({
      ticketId: fromId('tkt', outgoingMessage().ticketId),
      side: 'customer',
      holds: true,
    })
  })

  test('files go along, beside text and HTML', async () => {
    const file = outgoingAttachment(Buffer.from('1;2\n'))
    const { parsed, bytes } = await sent(answer({ attachments: [{ ...file, filename: 'Größe.csv' }] }))
    expect(bytes).toContain('multipart/mixed')
    expect(bytes.indexOf('multipart/alternative')).toBeGreaterThan(bytes.indexOf('multipart/mixed'))
    expect(parsed.attachments.map(({ filename, content }) => [filename, `${content}`])).toEqual([
      ['Größe.csv', '1;2\n'],
    ])
    expect(parsed.text).toContain('Lifted.')
    expect(parsed.html).toContain('Lifted.')
  })

  test('an acknowledgement says that it is one, and nothing can be sent back for it', async () => {
    const message = outgoingMessage({
      side: 'customer',
      kind: 'acknowledgement',
      recipient: 'ada@example.com',
    })
    const { envelope, parsed, header, text } = await sent({ ...message, mailMessageId: null })
    expect(envelope).toEqual({ from: '', to: ['ada@example.com'] })
    expect(header('auto-submitted')).toBe('auto-replied')
    expect(header('x-bellhop-ticket')).toBe(message.ticketId)
    expect(parsed.subject).toBe('Re: The export stops at row 1000')
    expect(parsed.messageId).toBe('<dlv_0199c0ffee007000800000000000000d@acme.example>')
    expect(text).toContain('Hello Ada Lovelace,')
    // Whoever has mail sent to another's address must not choose what it says.
    expect(text).not.toContain('row 1000')
  })

  test('a participant gets it under their own address, and answers from there', async () => {
    const { envelope, parsed } = await sent(answer({ recipient: 'eve@example.org' }))
    expect(envelope.to).toEqual(['eve@example.org'])
    const address = parsed.replyTo?.value[0]?.address
    expect(signedFor(address, 'eve@example.org').holds).toBe(true)
    expect(signedFor(address, 'ada@example.com').holds).toBe(false)
  })

  test('no address of an agent, and none that was signed for another, goes along', async () => {
    const desk = signReplyAddress(REPLY, {
      brandId: 'acme',
      ticketId: fromId('tkt', outgoingMessage().ticketId) ?? '',
      side: 'desk',
      recipient: 'helpdesk@acme.example',
    })
    const { bytes, parsed } = await sent(
      answer({
        body: `Write to ${desk} or mailto:${desk.replace('+', '%2B')}.`,
        subject: `Your mail to ${desk}`,
        speaker: { kind: 'agent', name: 'bob@acme.example' },
      }),
    )
    expect(parsed.subject).toBe('Re: Your mail to support@acme.example')
    expect(parsed.text).toContain('Write to support@acme.example or mailto:support@acme.example.')
    expect(parsed.html).toContain('Write to support@acme.example or')
    expect(bytes).not.toContain('bob@')
    // The tag in Reply-To, and no other.
    expect(bytes.replaceAll(/=\r\n/g, '').match(/[a-z2-7]{44}/g)?.length).toBe(1)
  })

  test('without signed addresses or a way in, nobody is told to reply', async () => {
    const { parsed } = await sent(answer(), { reply: null, ticketUrl: null })
    expect(parsed.replyTo).toBe(undefined)
    expect(parsed.text?.trimEnd()).toBe('Lifted. Try again.\n\nBob, Acme')
    const { text } = await sent(answer(), { reply: null, inbound: INBOUND })
    expect(text.startsWith(MARKER)).toBe(true)
  })
})

describe('a private mail says that there is an answer', () => {
  const CANARY = 'canary'
  const said: Partial<OutgoingMessage> = {
    subject: `${CANARY} subject`,
    body: `${CANARY} body`,
    html: `<p>${CANARY}</p>`,
    speaker: { kind: 'agent', name: `${CANARY} agent` },
    requester: { email: 'ada@example.com', name: `${CANARY} name` },
    thread: { inReplyTo: `<${CANARY}@example.com>`, references: [`<${CANARY}@example.com>`] },
    attachments: [{ ...outgoingAttachment(Buffer.from(CANARY)), filename: `${CANARY}.txt` }],
  }

  test.each([
    ['to an address that is not known to be the requester’s', { kind: 'notice' }, {}],
    ['of a private brand', { kind: 'notice' }, { private: true }],
    ['promised before the brand became private', { kind: 'message' }, { private: true }],
  ] as const)('%s', async (_, change, settings) => {
    const { parsed, bytes, header, envelope, text } = await sent(answer({ ...said, ...change }), settings)
    expect(bytes).not.toContain(CANARY)
    expect(bytes).not.toContain(Buffer.from(CANARY).toString('base64').slice(0, 6))
    expect(parsed.subject).toBe('There is an answer to your request')
    expect([parsed.inReplyTo, parsed.references, header('x-bellhop-ticket')]).toEqual([
      undefined,
      undefined,
      undefined,
    ])
    expect(parsed.attachments).toEqual([])
    expect(text).toBe(
      `${MARKER}\n\nHello,\n\nThere is an answer to your request.\n\nRead it here: ${LINK}\n\nAcme`,
    )
    expect(envelope.from).toBe('support@acme.example')
    expect(header('auto-submitted')).toBe('auto-generated')
  })

  test('or that the request came', async () => {
    const { parsed, bytes } = await sent(answer({ ...said, kind: 'acknowledgement' }), { private: true })
    expect(bytes).not.toContain(CANARY)
    expect(parsed.subject).toBe('We received your request')
  })

  test('also where a template would say more', async () => {
    const all = '{{subject}} {{body}} {{author}} {{name}} {{ticket}}'
    const template = { subject: `S ${all}`, text: `T ${all}`, html: `H ${all}` }
    const templates = { acknowledgement: template, message: template, notice: template }
    for (const kind of ['acknowledgement', 'message', 'notice'] as const) {
      const { bytes } = await sent(answer({ ...said, kind }), { private: true, templates })
      expect(bytes).not.toContain(CANARY)
      expect(bytes).not.toContain('tkt_')
    }
  })
})

test('a brand without mail has no connector, and one with it can be asked', async () => {
  expect(createCustomerMailConnector(brandOf('acme', { url: 'https://login.acme.example' }))).toBe(null)
  const connector = createCustomerMailConnector(brand({ mail: { ...MAIL, url: 'smtp://127.0.0.1:1' } }))
  expect(connector).toMatchObject({ name: 'mail', atCommit: false })
  expect(await connector?.verify(NEVER)).toMatchObject({
    ok: false,
    detail: expect.stringContaining('mail.url'),
  })
  await connector?.close()
})

function signedFor(address: string | undefined, recipient = 'ada@example.com') {
  const read = readReplyAddress(REPLY, { brandId: 'acme', address: address ?? '' })
  return { ticketId: read?.ticketId, side: read?.side, holds: read?.verify(recipient) }
}
