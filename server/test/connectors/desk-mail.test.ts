import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import type { Brand } from '../../src/config.ts'
import type { OutgoingMessage } from '../../src/connectors/connector.ts'
import { createConnector } from '../../src/connectors/registry.ts'
import { fromId } from '../../src/ids.ts'
import { MARKER } from '../../src/mail/marker.ts'
import { readReplyAddress, signReplyAddress } from '../../src/mail/reply-address.ts'
import { brandOf } from '../bellhop.ts'
import { smtpDesk } from '../deliveries/mail-desk.ts'
import { read } from './a-mail.ts'
import { startMailSink } from './mail-sink.ts'
import { NEVER, outgoingAttachment, outgoingMessage } from './outgoing-message.ts'

const REPLY = { local: 'support', domain: 'acme.example', keys: [Buffer.alloc(32, 1)] }
const THROUGH = { conversation: 'through', agents: ['@acme.example'] } as const
const TICKET = outgoingMessage().ticketId
const FOLLOW_UP: Partial<OutgoingMessage> = {
  first: false,
  messageId: 'msg_0199c0ffee007000800000000000000e',
  deliveryId: 'dlv_0199c0ffee007000800000000000000f',
  body: 'It works now.\n',
  mailMessageId: '<msg_0199c0ffee007000800000000000000e@acme.example>',
  thread: {
    inReplyTo: '<msg_0199c0ffee007000800000000000000b@acme.example>',
    references: ['<msg_0199c0ffee007000800000000000000b@acme.example>'],
  },
}
let sink: Awaited<ReturnType<typeof startMailSink>>

beforeAll(async () => {
  sink = await startMailSink()
})
beforeEach(() => {
  sink.mails.length = 0
})
afterAll(() => sink.close())

describe('a mailbox whose agents answer the requester themselves', () => {
  test('gets the first message as it always did, byte for byte, whatever else the brand has', async () => {
    const file = outgoingAttachment(Buffer.from('1;2\n'))
    const message = outgoingMessage({ subject: 'Größe: 1000 rows', attachments: [file] })
    const { bytes } = await sent(message, {}, { reply: REPLY, private: true })
    expect(bytes).toBe(
      [
        'From: "Acme Support"',
        ' <support@acme.example>',
        'To: helpdesk@acme.example',
        'Reply-To: "Ada Lovelace"',
        ' <ada@example.com>',
        'Subject: =?UTF-8?B?R3LDtsOfZTogMTAwMCByb3dz?=',
        'Date: Sun, 01 Mar 2026 09:30:00 +0000',
        'Message-ID: <msg_0199c0ffee007000800000000000000b@acme.example>',
        'Auto-Submitted: auto-generated',
        'X-Bellhop-Ticket: tkt_0199c0ffee007000800000000000000a',
        'MIME-Version: 1.0',
        'Content-Type: multipart/mixed;',
        ' boundary="=_350cc7fb9f3db05a3290e566b3912e4f"',
        '',
        '--=_350cc7fb9f3db05a3290e566b3912e4f',
        'Content-Type: text/plain;',
        ' charset="utf-8"',
        'Content-Transfer-Encoding: quoted-printable',
        '',
        'It stops at row 1000.',
        'Every time.',
        '',
        '--=_350cc7fb9f3db05a3290e566b3912e4f',
        'Content-Type: text/csv;',
        ' name="export.csv"',
        'Content-Disposition: attachment;',
        ' filename="export.csv"',
        'Content-Transfer-Encoding: base64',
        '',
        'MTsyCg==',
        '',
        '--=_350cc7fb9f3db05a3290e566b3912e4f--',
        '',
      ].join('\r\n'),
    )
  })

  test('gets what follows in the same thread', async () => {
    const { parsed, envelope } = await sent(outgoingMessage(FOLLOW_UP), {})
    expect(parsed.subject).toBe('Re: The export stops at row 1000')
    expect(parsed.messageId).toBe(FOLLOW_UP.mailMessageId)
    expect(parsed.inReplyTo).toBe(FOLLOW_UP.thread?.inReplyTo)
    expect(parsed.references).toBe(FOLLOW_UP.thread?.references[0])
    expect(parsed.replyTo?.text).toBe('"Ada Lovelace" <ada@example.com>')
    expect(parsed.text).toBe('It works now.\n')
    expect(envelope).toEqual({ from: 'support@acme.example', to: ['helpdesk@acme.example'] })
  })
})

describe('a mailbox whose conversation goes through us', () => {
  test('answers to the desk’s own signed address, and sees who wrote', async () => {
    const { parsed, bytes } = await sent(outgoingMessage(), THROUGH)
    expect(parsed.subject).toBe('The export stops at row 1000')
    expect(parsed.replyTo?.value[0]?.name).toBe('Ada Lovelace')
    const address = readReplyAddress(REPLY, {
      brandId: 'acme',
      address: parsed.replyTo?.value[0]?.address ?? '',
    })
    expect(address).toMatchObject({ ticketId: fromId('tkt', TICKET), side: 'desk' })
    expect(address?.verify('helpdesk@acme.example')).toBe(true)
    expect(address?.verify('ada@example.com')).toBe(false)
    expect(parsed.text).toBe(
      `${MARKER}\n\nIt stops at row 1000.\nEvery time.\n\n-- \nAda Lovelace <ada@example.com>\n${TICKET}\n`,
    )
    expect(bytes).not.toContain('In-Reply-To')
  })

  test('gets what a participant wrote, and no signed address that is the customer’s', async () => {
    const ticketId = fromId('tkt', TICKET) ?? ''
    const theirs = signReplyAddress(REPLY, {
      brandId: 'acme',
      ticketId,
      side: 'customer',
      recipient: 'ada@example.com',
    })
    const { parsed, header } = await sent(
      outgoingMessage({
        ...FOLLOW_UP,
        body: `Me too.\n> To: ${theirs}\n`,
        speaker: { kind: 'participant', name: 'Eve' },
      }),
      THROUGH,
    )
    expect(parsed.text).toBe(`${MARKER}\n\nMe too.\n> To: support@acme.example\n\n-- \nEve\n${TICKET}\n`)
    expect(parsed.inReplyTo).toBe(FOLLOW_UP.thread?.inReplyTo)
    expect(header('auto-submitted')).toBe('auto-generated')
  })

  test('an agent is told when an answer waits, and no machine answers that', async () => {
    const { parsed, header, envelope } = await sent(
      outgoingMessage({
        ...FOLLOW_UP,
        kind: 'returned',
        recipient: 'bob@acme.example',
        speaker: { kind: 'agent', name: 'Bob' },
        body: 'what the agent wrote',
        attachments: [outgoingAttachment(Buffer.from('x'))],
        mailMessageId: '<dlv_0199c0ffee007000800000000000000f@acme.example>',
      }),
      THROUGH,
    )
    expect(envelope).toEqual({ from: '', to: ['bob@acme.example'] })
    expect(parsed.to).toMatchObject({ text: 'bob@acme.example' })
    expect(parsed.from?.text).toBe('"Acme Support" <support@acme.example>')
    expect(header('auto-submitted')).toBe('auto-replied')
    expect(parsed.inReplyTo).toBe(FOLLOW_UP.thread?.inReplyTo)
    expect(parsed.messageId).toBe('<dlv_0199c0ffee007000800000000000000f@acme.example>')
    expect(parsed.text?.startsWith(`${MARKER}\n\nYour answer was not sent to the customer.`)).toBe(true)
    expect(parsed.text).not.toContain('what the agent wrote')
    expect(parsed.attachments).toEqual([])
  })
})

test('that nobody knows whose a mail is that began a ticket, the desk is told', async () => {
  const message = outgoingMessage({ unverified: true, personId: null })
  expect((await sent(message, {})).parsed.text).toBe(
    'It stops at row 1000.\nEvery time.\n\n-- \nNot verified: nothing proves that this is from the address that it names.\n',
  )
  expect((await sent(message, THROUGH)).parsed.text).toContain(
    `<ada@example.com>\nNot verified: nothing proves that this is from the address that it names.\n${TICKET}\n`,
  )
})

/** Sends it as the brand's desk gets it, and reads what arrived. */
async function sent(
  message: OutgoingMessage,
  conversation: Partial<typeof THROUGH>,
  settings: Partial<Brand> = { reply: REPLY },
) {
  const brand = brandOf(
    'acme',
    { url: 'https://login.acme.example' },
    { ...settings, desk: { ...smtpDesk(sink.port), ...conversation, agents: ['@acme.example'] } },
  )
  const connector = createConnector(brand, { now: Date.now })
  const result = await connector.send(message, NEVER)
  await connector.close()
  expect(result.outcome).toBe('delivered')
  const arrived = sink.mails.at(-1)
  if (arrived === undefined) throw new Error('nothing arrived')
  const { bytes, ...envelope } = arrived
  const parsed = await read(bytes)
  return {
    envelope,
    parsed,
    bytes: bytes.toString('latin1'),
    header: (name: string) => parsed.headers.get(name),
  }
}
