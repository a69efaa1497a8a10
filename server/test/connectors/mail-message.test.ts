import fc from 'fast-check'
import type { ParsedMail } from 'mailparser'
import { describe, expect, test } from 'vitest'
import type { Mailbox } from '../../src/config.ts'
import { bytesOf, mail, read } from './a-mail.ts'

const ALLOWED = [
  'From',
  'To',
  'Reply-To',
  'Subject',
  'Date',
  'Message-ID',
  'Auto-Submitted',
  'X-Bellhop-Ticket',
  'MIME-Version',
]

/** The names of the message's own header fields, Content-* apart. */
function headerNames(bytes: Buffer): string[] {
  const head = bytes.toString('latin1').split('\r\n\r\n')[0] ?? ''
  const fields = head.split('\r\n').filter((line) => !line.startsWith(' '))
  return fields.map((line) => line.split(':')[0] ?? '').filter((name) => !name.startsWith('Content-'))
}

function mailboxOf(parsed: ParsedMail['from']): Mailbox {
  const value = parsed?.value[0]
  return { name: value?.name ?? '', address: value?.address ?? '' }
}

const asLine = (text: string) => text.toWellFormed().replace(/\r\n|\r|\n/g, ' ')
/** Line breaks are CRLF on the way, and the parser gives each as LF. */
const asText = (text: string) => text.toWellFormed().replace(/\r?\n/g, '\n')

/** Text of the kinds that mail software gets wrong. */
const nasty = fc.constantFrom(
  'Bcc: eve@evil.example',
  '\r\nBcc: eve@evil.example\r\n\r\nbody',
  '\n',
  '\r',
  ' ',
  '  ',
  '\t',
  '=?utf-8?Q?x?=',
  '=?',
  '?=',
  '=',
  '"',
  '\\',
  '<eve@evil.example>',
  ',',
  ';',
  "utf-8''x",
  '%41',
  '(comment)',
  '.',
  '\r\n.\r\n',
  'From ',
  '--=_',
  '👩‍👩‍👧',
  'é',
  '日本語',
  'שלום',
  '\ud800',
  '\u0001',
  '\u2028',
  'x'.repeat(80),
  'word '.repeat(30),
)
const text = fc
  .array(fc.oneof(nasty, fc.string({ unit: 'grapheme' }), fc.string({ unit: 'binary' })), { maxLength: 12 })
  .map((parts) => parts.join('').replaceAll('\0', ''))
const filled = text.map((value) => value || 'x')
const quoted = fc
  .array(fc.constantFrom('a', 'B', '<', '>', ',', '@', ':', ';', '.', '(', ')', ' ', '\\"', '\\\\', '!'), {
    minLength: 1,
    maxLength: 20,
  })
  .map((chars) => `"${chars.join('')}"`)
const local = fc.oneof(fc.constantFrom('ada', 'a.b', 'a+tag', "o'neil", '{x}', 'a=b', 'x'.repeat(64)), quoted)
const domain = fc.constantFrom('example.com', 'localhost', '[192.0.2.1]', '[IPv6:2001:db8::1]')
const address = fc.tuple(local, domain).map((parts) => parts.join('@'))

describe('what a reader decodes is what was given', () => {
  test('for any subject, name, address, body and attachment, in safe lines and no other header', async () => {
    const property = fc.asyncProperty(
      text,
      text,
      address,
      filled,
      filled,
      fc.uint8Array({ maxLength: 300 }),
      fc.boolean(),
      async (subject, name, email, body, filename, content, attached) => {
        const attachment = { filename, contentType: 'text/plain', content: Buffer.from(content) }
        const given = mail({
          subject,
          body,
          from: { name, address: 'support@acme.example' },
          replyTo: { name, address: email },
          attachments: attached ? [attachment] : [],
        })
        const bytes = await bytesOf(given)
        const raw = bytes.toString('latin1')
        expect(/[^\t\r\n\x20-\x7e]/.test(raw)).toBe(false)
        expect(/[\r\n]/.test(raw.replaceAll('\r\n', ''))).toBe(false)
        expect(Math.max(...raw.split('\r\n').map((line) => line.length))).toBeLessThanOrEqual(998)
        expect(headerNames(bytes)).toEqual(ALLOWED)
        const parsed = await read(bytes)
        expect(parsed.subject ?? '').toBe(asLine(subject))
        expect(mailboxOf(parsed.from)).toEqual({ name: asLine(name), address: 'support@acme.example' })
        expect(mailboxOf(parsed.replyTo)).toEqual({ name: asLine(name), address: email })
        expect(parsed.text).toBe(asText(body))
        expect(parsed.attachments.length).toBe(attached ? 1 : 0)
        if (!attached) return
        expect(parsed.attachments[0]?.filename).toBe(filename.toWellFormed())
        expect(parsed.attachments[0]?.contentType).toBe('text/plain')
        expect(parsed.attachments[0]?.content.equals(Buffer.from(content))).toBe(true)
      },
    )
    await fc.assert(property, { numRuns: 500 })
  })

  test('a subject of 50,000 characters in any script', async () => {
    for (const subject of [
      'a'.repeat(50_000),
      'é'.repeat(50_000),
      '👩‍👩‍👧'.repeat(6000),
      'two words '.repeat(5000),
    ]) {
      const bytes = await bytesOf(mail({ subject }))
      expect((await read(bytes)).subject).toBe(subject)
      expect(
        Math.max(
          ...bytes
            .toString('latin1')
            .split('\r\n')
            .map((line) => line.length),
        ),
      ).toBeLessThan(90)
    }
  })
})
