import { type ParsedMail, simpleParser } from 'mailparser'
import { expect } from 'vitest'
import { composeMail, type Mail } from '../../src/connectors/mail-message.ts'

/** A mail to the desk as the connector composes it. */
export function mail(change: Partial<Mail> = {}): Mail {
  return {
    from: { name: 'Acme Support', address: 'support@acme.example' },
    to: { name: '', address: 'helpdesk@acme.example' },
    replyTo: { name: 'Ada Lovelace', address: 'ada@example.com' },
    subject: 'The export stops',
    body: 'At row 1000.\n',
    html: null,
    thread: { inReplyTo: null, references: [] },
    autoSubmitted: 'auto-generated',
    messageId: '<msg_1@acme.example>',
    ticketId: 'tkt_1',
    date: new Date('2026-03-01T09:30:00Z'),
    attachments: [],
    ...change,
  }
}

/** The whole message, whose size must be what was announced. */
export async function bytesOf(message: Mail): Promise<Buffer> {
  const composed = await composeMail(message)
  const bytes = Buffer.concat([...composed.pieces()])
  expect(composed.size).toBe(bytes.length)
  return bytes
}

/** What a mail reader makes of it. */
export function read(bytes: Buffer): Promise<ParsedMail> {
  return simpleParser(bytes, { skipTextToHtml: true, skipImageLinks: true, skipTextLinks: true })
}
