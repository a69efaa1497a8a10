import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { OutgoingMessage } from '../../src/connectors/connector.ts'
import { customerMail } from '../../src/connectors/customer-mail.ts'
import { composeMail } from '../../src/connectors/mail-message.ts'
import { answer, brand, MAIL } from './a-customer-mail.ts'
import { read } from './a-mail.ts'

describe('nothing that people write leaves its place', () => {
  const hostile = fc
    .array(
      fc.oneof(
        fc.string({ unit: 'grapheme', maxLength: 20 }),
        fc.constantFrom(
          '\r\nBcc: eve@evil.example\r\n\r\n',
          '\n.\n',
          '=?utf-8?q?x?=',
          '<img src=x>',
          '{{body}}',
          '"',
          '日本語'.repeat(30),
          'x'.repeat(1200),
          '\u2028',
          'a@b.example, ',
        ),
      ),
      { maxLength: 6 },
    )
    .map((parts) => parts.join('').replaceAll('\0', ''))

  test('any subject, name and text: no header more, no line too long, no element more', async () => {
    const harmless = await fieldsOf(answer())
    await fc.assert(
      fc.asyncProperty(hostile, hostile, hostile, hostile, async (subject, body, author, name) => {
        const message = answer({
          subject,
          body,
          speaker: { kind: 'agent', name: author },
          requester: { email: 'ada@example.com', name },
        })
        const { bytes, parsed, fields } = await fieldsOf(message)
        expect(fields).toEqual(harmless.fields)
        expect(parsed.subject?.replace(/\s+/g, ' ').trimEnd().startsWith('Re:')).toBe(true)
        for (const line of bytes.toString('latin1').split('\r\n'))
          expect(line.length).toBeLessThanOrEqual(998)
        expect(`${parsed.html}`.match(/<(?!br)[a-z]+/g)?.length).toBeLessThanOrEqual(
          `${harmless.parsed.html}`.match(/<(?!br)[a-z]+/g)?.length ?? 0,
        )
      }),
      { numRuns: 200 },
    )
  }, 30_000)

  test('ids of others’ mails are taken only where they are ids', async () => {
    const references = [
      '<a@b>\r\nBcc: eve@evil.example',
      '<a b@c>',
      'a@b',
      '<é@b>',
      `<${'x'.repeat(1000)}@b>`,
      '<0@b>',
      '<a<b@c>',
    ]
    const { parsed, fields } = await fieldsOf(
      answer({ thread: { inReplyTo: references[0] ?? '', references } }),
    )
    expect(parsed.references).toBe('<0@b>')
    expect(fields).not.toContain('bcc')
    expect(fields).not.toContain('in-reply-to')
  })

  async function fieldsOf(message: OutgoingMessage) {
    const composed = await composeMail(await customerMail({ ...brand(), mail: MAIL }, message))
    const bytes = Buffer.concat([...composed.pieces()])
    expect(bytes.length).toBe(composed.size)
    const parsed = await read(bytes)
    return { bytes, parsed, fields: parsed.headerLines.map(({ key }) => key) }
  }
})
