import { expect } from 'vitest'
import type { Brand } from '../../src/config.ts'
import type { OutgoingMessage } from '../../src/connectors/connector.ts'
import { createCustomerMailConnector } from '../../src/connectors/customer-mail.connector.ts'
import { brandOf } from '../bellhop.ts'
import { read } from './a-mail.ts'
import type { startMailSink } from './mail-sink.ts'
import { NEVER, outgoingMessage } from './outgoing-message.ts'

/** A brand that writes to its customers, and an answer of its desk. */

export const REPLY = { local: 'support', domain: 'acme.example', keys: [Buffer.alloc(32, 1)] }
export const THREAD = {
  inReplyTo: '<dlv_1@acme.example>',
  references: ['<CAF+ada=1@mail.example.com>', '<dlv_1@acme.example>'],
}
export const LINK = 'https://app.acme.example/tickets/tkt_0199c0ffee007000800000000000000a'
export const MAIL = {
  url: 'smtp://127.0.0.1',
  from: { name: 'Acme Support', address: 'support@acme.example' },
  dkim: null,
}
export const INBOUND = { imap: null, secret: null, trustedAuthservIds: [], acceptNew: false }

export function brand(settings: Partial<Brand> = {}): Brand {
  return brandOf(
    'acme',
    { url: 'https://login.acme.example' },
    {
      name: 'Acme',
      mail: MAIL,
      reply: REPLY,
      ticketUrl: 'https://app.acme.example/tickets/{ticket_id}',
      ...settings,
    },
  )
}

export function answer(change: Partial<OutgoingMessage> = {}): OutgoingMessage {
  return outgoingMessage({
    side: 'customer',
    first: false,
    recipient: 'ada@example.com',
    speaker: { kind: 'agent', name: 'Bob' },
    body: 'Lifted. Try again.\n',
    thread: THREAD,
    mailMessageId: '<dlv_0199c0ffee007000800000000000000d@acme.example>',
    ...change,
  })
}

/** Sends it by SMTP, and reads what arrived. */
export async function sendTo(
  sink: Awaited<ReturnType<typeof startMailSink>>,
  message: OutgoingMessage,
  settings: Partial<Brand> = {},
  dkim: NonNullable<Brand['mail']>['dkim'] = null,
) {
  const mail = { ...MAIL, url: `smtp://127.0.0.1:${sink.port}`, dkim }
  const connector = createCustomerMailConnector(brand({ ...settings, mail }))
  const result = await connector?.send(message, NEVER)
  await connector?.close()
  expect(result).toMatchObject({ outcome: 'delivered', code: 'smtp_250' })
  const arrived = sink.mails.at(-1)
  if (arrived === undefined) throw new Error('nothing arrived')
  const { bytes, ...envelope } = arrived
  const parsed = await read(bytes)
  return {
    envelope,
    parsed,
    raw: bytes,
    bytes: bytes.toString('latin1'),
    text: parsed.text?.trimEnd() ?? '',
    header: (name: string) => parsed.headers.get(name),
  }
}
