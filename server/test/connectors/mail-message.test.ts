import fc from 'fast-check'
import { type ParsedMail, simpleParser } from 'mailparser'
import { describe, expect, test } from 'vitest'
import type { Mailbox } from '../../src/config.ts'
import { composeMail, type Mail } from '../../src/connectors/mail-message.ts'

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

function mail(change: Partial<Mail> = {}): Mail {
  return {
    from: { name: 'Acme Support', address: 'support@acme.example' },
    to: { name: '', address: 'helpdesk@acme.example' },
    replyTo: { name: 'Ada Lovelace', address: 'ada@example.com' },
    subject: 'The export stops',
    body: 'At row 1000.\n',
    messageId: '<msg_1@acme.example>',
    ticketId: 'tkt_1',
    date: new Date('2026-03-01T09:30:00Z'),
    attachments: [],
    ...change,
  }
}

function bytesOf(message: Mail): Buffer {
  const composed = composeMail(message)
  const bytes = Buffer.concat([...composed.pieces()])
  expect(composed.size).toBe(bytes.length)
  return bytes
}

function read(bytes: Buffer): Promise<ParsedMail> {
  return simpleParser(bytes, { skipTextToHtml: true, skipImageLinks: true, skipTextLinks: true })
}

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
        const bytes = bytesOf(given)
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
      const bytes = bytesOf(mail({ subject }))
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

describe('the message as mail servers see it', () => {
  const raw = (change: Partial<Mail>) => bytesOf(mail(change)).toString('latin1')
  const file = (change: Partial<Mail['attachments'][number]>) => ({
    attachments: [
      { filename: 'a.bin', contentType: 'text/csv', content: Buffer.from('1;2\r\n\r3\n'), ...change },
    ],
  })

  test('ordinary mail stays readable without decoding', () => {
    const bytes = raw({ subject: 'Re: 50% of "rows" = lost?', body: 'Hello,\nrow 1000 is missing.\n\nAda\n' })
    expect(bytes).toContain('\r\nSubject: Re: 50% of "rows" = lost?\r\n')
    expect(bytes).toContain('\r\nReply-To: "Ada Lovelace"\r\n <ada@example.com>\r\n')
    expect(bytes).toContain('\r\nDate: Sun, 01 Mar 2026 09:30:00 +0000\r\n')
    expect(bytes).toContain('\r\n\r\nHello,\r\nrow 1000 is missing.\r\n\r\nAda\r\n')
  })

  test('CRLF, CR and LF in a subject are one space each', async () => {
    const bytes = bytesOf(mail({ subject: 'a\r\nb\rc\nd\n\re' }))
    expect((await read(bytes)).subject).toBe('a b c d  e')
  })

  test('an encoded-word has at most 75 characters and is well-formed by itself', () => {
    for (const subject of ['👩‍👩‍👧'.repeat(200), `é ${'x'.repeat(900)}`, '日本語'.repeat(300)]) {
      const words = raw({ subject }).match(/=\?UTF-8\?[QB]\?[^?]*\?=/g) ?? []
      expect(words.length).toBeGreaterThan(10)
      for (const word of words) {
        expect(word.length).toBeLessThanOrEqual(75)
        const [, , encoding, content = ''] = word.split('?')
        const decoded =
          encoding === 'B'
            ? Buffer.from(content, 'base64')
            : Buffer.from(
                content.replace(/=(..)/g, (_, hex) => String.fromCharCode(Number.parseInt(hex, 16))),
                'latin1',
              )
        expect(decoded.toString()).not.toContain('\ufffd')
      }
    }
  })

  test('a text without a last line break has none after the way through SMTP either', async () => {
    for (const body of ['no break', 'é'.repeat(30), `${'x'.repeat(75)}`, `${'x'.repeat(76)}`, 'a b ']) {
      const bytes = bytesOf(mail({ body }))
      expect(bytes.subarray(-2).toString()).toBe('\r\n')
      expect((await read(bytes)).text).toBe(body)
    }
  })

  test('a retry is the same bytes, and the message can be asked for twice', () => {
    const composed = composeMail(mail(file({})))
    const once = Buffer.concat([...composed.pieces()])
    expect(Buffer.concat([...composed.pieces()]).equals(once)).toBe(true)
    expect(bytesOf(mail(file({}))).equals(once)).toBe(true)
  })

  test('an attachment keeps its type, unless a reader would take it apart or could not read it', async () => {
    const types: [declared: string, sent: string][] = [
      ['image/PNG', 'image/png'],
      ['application/vnd.ms-excel', 'application/vnd.ms-excel'],
      ['text/plain; charset="utf-16"; format=flowed; delsp=yes', 'text/plain'],
      ['text/plain;charset=shift_jis', 'text/plain'],
      ['multipart/mixed; boundary=x', 'application/octet-stream'],
      ['message/rfc822', 'application/octet-stream'],
      ['Message/Delivery-Status', 'application/octet-stream'],
      ['text', 'application/octet-stream'],
      ['text/', 'application/octet-stream'],
      ['text/plain; charset', 'application/octet-stream'],
      ['text/plain\r\nBcc: eve@evil.example', 'application/octet-stream'],
      ['text/plain; x="a\r\nBcc: eve@evil.example"', 'application/octet-stream'],
      ['text/pläin', 'application/octet-stream'],
      [`text/${'x'.repeat(3000)}`, 'application/octet-stream'],
      [`text/plain; x=${'y'.repeat(3000)}`, 'text/plain'],
    ]
    for (const [declared, sent] of types) {
      const bytes = bytesOf(mail(file({ contentType: declared })))
      const attachment = (await read(bytes)).attachments[0]
      expect([declared, attachment?.contentType]).toEqual([declared, sent])
      expect(attachment?.content.toString()).toBe('1;2\r\n\r3\n')
      expect(bytes.toString('latin1')).not.toContain('evil')
    }
  })

  test('a charset of the declared type is kept, a boundary or a name in it is not', () => {
    const bytes = raw(file({ contentType: 'text/csv; charset=utf-16; name=evil.exe; header="present, yes"' }))
    expect(bytes).toContain(
      'Content-Type: text/csv;\r\n charset="utf-16";\r\n header="present, yes";\r\n name="a.bin"\r\n',
    )
    expect(bytes).not.toContain('evil')
  })

  test('a file name of 3,000 characters is cut into short lines and comes back whole', async () => {
    for (const filename of [`${'é'.repeat(3000)}.pdf`, `${'x'.repeat(3000)}.pdf`, '../../"é\r\n.exe']) {
      const bytes = bytesOf(mail(file({ filename })))
      expect((await read(bytes)).attachments[0]?.filename).toBe(filename)
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

  test('ten MiB are written piece by piece', () => {
    const content = Buffer.alloc(10 * 1024 * 1024, 'bytes')
    const composed = composeMail(mail(file({ content })))
    let largest = 0
    let size = 0
    for (const piece of composed.pieces()) {
      largest = Math.max(largest, piece.length)
      size += piece.length
    }
    expect(size).toBe(composed.size)
    expect(largest).toBeLessThan(100 * 1024)
  })
})
