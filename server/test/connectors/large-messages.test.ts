import { once } from 'node:events'
import { Worker } from 'node:worker_threads'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Connector } from '../../src/connectors/connector.ts'
import { customerMail } from '../../src/connectors/customer-mail.ts'
import { composeMail, type Mail } from '../../src/connectors/mail-message.ts'
import { createSmtpConnector } from '../../src/connectors/smtp.connector.ts'
import { createWebhookConnector } from '../../src/connectors/webhook.connector.ts'
import { composeWebhook } from '../../src/connectors/webhook-message.ts'
import { smtpDesk } from '../deliveries/mail-desk.ts'
import { answer, brand, MAIL } from './a-customer-mail.ts'
import { mail } from './a-mail.ts'
import { longestBlocking } from './blocking.ts'
import { NEVER, outgoingAttachment, outgoingMessage } from './outgoing-message.ts'
import { SECRET } from './webhook-desk.ts'

const MIB = 1024 * 1024
/** As much text as a ticket may have: 2 MiB of UTF-8. */
const TEXT = 'é'.repeat(MIB)
const FILE = Buffer.alloc(10 * MIB, 'bytes')
/** How long others may have to wait for one message, in milliseconds of work. */
const LIMIT = 100

describe('nobody else waits long while a large message', () => {
  const file = (change: Partial<Mail['attachments'][number]>) => ({
    attachments: [{ filename: 'a.bin', contentType: 'text/csv', content: FILE, ...change }],
  })
  const rows: [what: string, change: Partial<Mail>][] = [
    ['subject', { subject: TEXT, ...file({}) }],
    ['subject of short words', { subject: 'a '.repeat(MIB).trim() }],
    ['subject of line breaks', { subject: '\n'.repeat(2 * MIB) }],
    ['name', { replyTo: { name: TEXT, address: 'ada@example.com' }, ...file({}) }],
    ['file name', file({ filename: TEXT })],
    ['file name of controls', file({ filename: '\u0001'.repeat(2 * MIB) })],
    ['list of parameters', file({ contentType: `text/plain${';a=b'.repeat(MIB / 2)}` })],
    ['body', { body: TEXT, ...file({}) }],
    ['body of line breaks', { body: '\n'.repeat(2 * MIB) }],
  ]
  test.each(rows)('with a 2 MiB %s is composed', async (_what, change) => {
    expect(await longestBlocking(() => composeMail(mail(change)), LIMIT)).toBeLessThan(LIMIT)
  })

  test.each([
    ['an answer of letters', { body: TEXT }],
    ['an answer of what HTML escapes', { body: `<"&'>  `.repeat(MIB / 4) }],
    ['an answer of line breaks', { body: '\n'.repeat(2 * MIB) }],
    ['an answer on a subject of prefixes', { subject: 're: '.repeat(MIB / 2) }],
    ['an answer on a subject of white space', { subject: `re${' '.repeat(2 * MIB)}x` }],
  ])('is written for a customer: %s', async (_what, change) => {
    const written = async () => composeMail(await customerMail({ ...brand(), mail: MAIL }, answer(change)))
    expect(await longestBlocking(written, LIMIT)).toBeLessThan(LIMIT)
  })

  describe('is sent', () => {
    let desks: Worker
    const connectors: Connector[] = []
    beforeAll(async () => {
      desks = new Worker(new URL('./hungry-desks.ts', import.meta.url))
      const [ports] = await once(desks, 'message')
      const from = { name: 'Acme Support', address: 'support@acme.example' }
      const smtp = { ...smtpDesk(ports.mail), from, to: from }
      const hook = { connector: 'webhook', url: `http://127.0.0.1:${ports.hook}/`, secret: SECRET } as const
      connectors.push(createSmtpConnector(smtp), createWebhookConnector(hook, Date.now))
    })
    afterAll(async () => {
      for (const connector of connectors) await connector.close()
      await desks.terminate()
    })

    test('by mail and by webhook, with four files of 10 MiB', async () => {
      const attachments = [1, 2, 3, 4].map(() => outgoingAttachment(FILE))
      const message = outgoingMessage({ body: TEXT, attachments })
      expect(connectors.map(({ name }) => name)).toEqual(['smtp', 'webhook'])
      for (const connector of connectors) {
        const blocked = await longestBlocking(async () => {
          expect(await connector.send(message, NEVER)).toMatchObject({ outcome: 'delivered' })
        }, LIMIT)
        expect([connector.name, blocked < LIMIT]).toEqual([connector.name, true])
      }
    })
  })
})

test('a webhook with ten MiB is written piece by piece, and again the same for the next attempt', async () => {
  const attachments = [
    outgoingAttachment(FILE),
    outgoingAttachment(Buffer.from('1;2')),
    outgoingAttachment(FILE),
  ]
  const composed = await composeWebhook(outgoingMessage({ body: TEXT, attachments }))
  const pieces = [...composed.pieces()]
  expect(Math.max(...pieces.map((piece) => piece.length))).toBeLessThanOrEqual(64 * 1024)
  const bytes = Buffer.concat(pieces)
  expect(composed.size).toBe(bytes.length)
  expect(Buffer.concat([...composed.pieces()]).equals(bytes)).toBe(true)
  const { data } = JSON.parse(bytes.toString())
  expect(data.body === TEXT).toBe(true)
  const sent = data.attachments.map((file: { content_base64: string }) => file.content_base64)
  expect(sent.map((content: string) => content.length)).toEqual([13981016, 4, 13981016])
  expect(sent[0] === FILE.toString('base64') && sent[2] === sent[0]).toBe(true)
})
