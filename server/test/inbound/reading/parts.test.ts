import { describe, expect, test } from 'vitest'
import { DEEPEST_PART, MOST_PARTS } from '../../../src/inbound/reading/mail-parts.ts'
import { MAIL_BYTES, readMail } from '../../../src/inbound/reading/read-mail.ts'
import { fakeDns, mailOf } from '../signed-mail.ts'
import { read } from './a-reading.ts'

function multipart(parts: string[], subtype = 'mixed'): string {
  const body = parts.map((part) => `--b\r\n${part}\r\n`).join('')
  return mailOf(
    { 'MIME-Version': '1.0', 'Content-Type': `multipart/${subtype}; boundary=b` },
    `${body}--b--\r\n`,
  )
}

const TEXT = 'Content-Type: text/plain; charset=utf-8\r\n\r\nHello.'
const file = (fields: string, body = 'bytes') => `${fields}\r\n\r\n${body}`

async function files(raw: string) {
  const { attachments } = await read(raw)
  return attachments.map(({ filename, declaredType, bytes }) => [
    filename,
    declaredType,
    bytes.toString('latin1'),
  ])
}

async function unreadable(raw: string | Buffer) {
  return readMail(Buffer.from(raw), { resolve: fakeDns({}), trustedAuthservIds: [] })
}

describe('no part is dropped', () => {
  test.each([
    ['a calendar', 'text/calendar; method=REQUEST', 'calendar.ics', 'text/calendar'],
    ['winmail.dat', 'application/ms-tnef; name=winmail.dat', 'winmail.dat', 'application/ms-tnef'],
    ['a signature', 'application/pgp-signature', 'signature.asc', 'application/pgp-signature'],
    ['a part of no known type', 'x-wonder/of-types', 'attachment', 'x-wonder/of-types'],
    ['a text that has a name', 'text/plain; name=notes.txt', 'notes.txt', 'text/plain'],
  ])('%s is a file', async (_what, type, filename, declaredType) => {
    expect(await files(multipart([TEXT, file(`Content-Type: ${type}`)]))).toEqual([
      [filename, declaredType, 'bytes'],
    ])
  })

  test.each([
    ['a NUL', 'application/p\0df'],
    ['a very long name', `application/${'x'.repeat(128)}`],
    ['no subtype', 'application'],
  ])('a type that is none is not declared: %s', async (_what, type) => {
    const fields = `Content-Type: ${type}\r\nContent-Disposition: attachment; filename=a.bin`
    expect(await files(multipart([TEXT, file(fields)]))).toEqual([['a.bin', null, 'bytes']])
  })

  test('a mail in the mail is one, as it is, with what is in it', async () => {
    const inner =
      'From: bo@example.com\r\nSubject: Inner\r\nContent-Type: multipart/mixed; boundary=c\r\n\r\n--c\r\n\r\nInner text\r\n--c--'
    for (const disposition of [
      '',
      '\r\nContent-Disposition: inline',
      '\r\nContent-Disposition: attachment',
    ]) {
      const raw = multipart([TEXT, file(`Content-Type: message/rfc822${disposition}`, inner)])
      expect(await files(raw)).toEqual([['message.eml', 'message/rfc822', inner]])
      expect((await read(raw)).wholeText).toBe('Hello.')
    }
  })

  test('a picture that is shown in the text is one', async () => {
    const html = 'Content-Type: text/html\r\n\r\n<p>Look: <img src="cid:a"></p>'
    const raw = multipart(
      [html, file('Content-Type: image/png\r\nContent-ID: <a>\r\nContent-Disposition: inline')],
      'related',
    )
    expect(await files(raw)).toEqual([['image.png', 'image/png', 'bytes']])
  })

  test('a mail that is a file has it', async () => {
    expect(await files(mailOf({ 'Content-Type': 'application/pdf' }, '%PDF'))).toEqual([
      ['document.pdf', 'application/pdf', '%PDF'],
    ])
  })

  test('texts one after the other are one text, and HTML among them is read', async () => {
    const raw = multipart([
      TEXT,
      file('Content-Type: image/png; name=a.png'),
      'Content-Type: text/html\r\n\r\n<p>Bye.</p>',
    ])
    expect(await read(raw)).toMatchObject({ wholeText: 'Hello.\n\nBye.', html: '<p>Hello.</p>\n<p>Bye.</p>' })
  })

  test('of alternatives the text is read, or the HTML where the text is empty', async () => {
    const html = 'Content-Type: text/html\r\n\r\n<p>Of HTML.</p>'
    expect(await read(multipart([TEXT, html], 'alternative'))).toMatchObject({
      wholeText: 'Hello.',
      html: '<p>Of HTML.</p>',
    })
    const empty = 'Content-Type: text/plain\r\n\r\n \r\n'
    expect(await read(multipart([empty, html], 'alternative'))).toMatchObject({ wholeText: 'Of HTML.' })
  })

  test('a calendar among alternatives is a file', async () => {
    const raw = multipart([TEXT, file('Content-Type: text/calendar')], 'alternative')
    expect(await files(raw)).toEqual([['calendar.ics', 'text/calendar', 'bytes']])
  })

  test('a multipart whose parts never begin is read as it stands', async () => {
    for (const type of ['multipart/mixed; boundary=never', 'multipart/mixed']) {
      expect(await read(mailOf({ 'Content-Type': type }, 'I wrote this.\r\n'))).toMatchObject({
        wholeText: 'I wrote this.',
      })
    }
  })

  test('a mail that breaks off in the middle is read up to there', async () => {
    const raw = multipart([
      TEXT,
      file('Content-Type: application/pdf; name=a.pdf\r\nContent-Transfer-Encoding: base64', 'JVBERi0xLjQ='),
    ])
    const cut = raw.slice(0, raw.indexOf('LjQ='))
    expect(await read(cut)).toMatchObject({
      wholeText: 'Hello.',
      attachments: [{ filename: 'a.pdf', bytes: Buffer.from('%PDF-1') }],
    })
  })
})

describe('names of files', () => {
  test.each([
    ['plain', 'Content-Disposition: attachment; filename=a.pdf', 'a.pdf'],
    ['quoted', 'Content-Disposition: attachment; filename="a b.pdf"', 'a b.pdf'],
    ['by RFC 2231', "Content-Disposition: attachment; filename*=utf-8''Gr%C3%B6%C3%9Fe.pdf", 'Größe.pdf'],
    [
      'by RFC 2231, in pieces',
      "Content-Disposition: attachment; filename*0*=utf-8''Gr%C3%B6;\r\n filename*1*=%C3%9Fe;\r\n filename*2=.pdf",
      'Größe.pdf',
    ],
    [
      'by RFC 2231, in Latin-1',
      "Content-Disposition: attachment; filename*=iso-8859-1'de'Gr%F6%DFe.pdf",
      'Größe.pdf',
    ],
    [
      'by RFC 2047, misused',
      'Content-Disposition: attachment; filename="=?utf-8?Q?Gr=C3=B6=C3=9Fe.pdf?="',
      'Größe.pdf',
    ],
    [
      'by RFC 2047, in pieces',
      'Content-Type: application/pdf; name="=?utf-8?B?R3LDtg==?=\r\n =?utf-8?B?w59lLnBkZg==?="',
      'Größe.pdf',
    ],
    ['in raw UTF-8', 'Content-Disposition: attachment; filename="Größe.pdf"', 'Größe.pdf'],
    ['with a path', 'Content-Disposition: attachment; filename="../../etc/passwd"', '.._.._etc_passwd'],
    [
      'with a path of Windows',
      'Content-Disposition: attachment; filename="C:\\\\Temp\\\\a.pdf"',
      'C:_Temp_a.pdf',
    ],
    ['that is a path alone', 'Content-Disposition: attachment; filename=".."', 'attachment'],
    [
      'that turns the direction',
      "Content-Disposition: attachment; filename*=utf-8''a%E2%80%AEfdp.exe",
      'afdp.exe',
    ],
    [
      'with control characters',
      "Content-Disposition: attachment; filename*=utf-8''a%00b%0D%0Ac.pdf",
      'ab_c.pdf',
    ],
    [
      'with what nobody sees',
      "Content-Disposition: attachment; filename*=utf-8''a%E2%80%8B%EF%BB%BFb%C2%85%E2%80%A8%D8%9Cc.pdf",
      'abc.pdf',
    ],
    [
      'that is long',
      `Content-Disposition: attachment; filename="${'ä'.repeat(300)}.pdf"`,
      `${'ä'.repeat(196)}.pdf`,
    ],
    ['that is empty', 'Content-Disposition: attachment; filename=""', 'attachment'],
  ])('%s', async (_how, fields, filename) => {
    expect((await files(multipart([TEXT, file(fields)])))[0]?.[0]).toBe(filename)
  })
})

describe('text in any shape', () => {
  const text = (type: string, encoding: string, body: Buffer | string) =>
    Buffer.concat([
      Buffer.from(mailOf({ 'Content-Type': type, 'Content-Transfer-Encoding': encoding }, '')),
      Buffer.from(body),
    ])
  test.each<[string, Buffer, string]>([
    ['Latin-1', text('text/plain; charset=iso-8859-1', '8bit', Buffer.from('Größe', 'latin1')), 'Größe'],
    ['Windows-1252', text('text/plain; charset=windows-1252', '8bit', Buffer.from([0x80, 0x93])), '€“'],
    [
      'a charset in quotes and capitals',
      text('text/plain; charset="UTF-8"', 'base64', Buffer.from('Größe').toString('base64')),
      'Größe',
    ],
    ['Shift_JIS', text('text/plain; charset=Shift_JIS', '8bit', Buffer.from([0x83, 0x65])), 'テ'],
    ['ISO-2022-JP', text('text/plain; charset=iso-2022-jp', '7bit', Buffer.from('\x1b$B%F\x1b(B')), 'テ'],
    ['GB2312', text('text/plain; charset=gb2312', '8bit', Buffer.from([0xc4, 0xe3])), '你'],
    ['a charset that is none', text('text/plain; charset=x-unknown', '8bit', 'Größe'), 'Größe'],
    ['no charset, in UTF-8', text('text/plain', '8bit', 'Größe'), 'Größe'],
    [
      'quoted-printable with faults',
      text('text/plain; charset=utf-8', 'quoted-printable', 'Gr=C3=B6=C3=9Fe =ZZ =\r\nend='),
      'Größe =ZZ end',
    ],
    ['base64 with faults', text('text/plain; charset=utf-8', 'base64', 'R3LD*tsOfZQ=\r\n!!'), 'Größe'],
    ['an encoding that is none', text('text/plain', 'x-rot13', 'Hello'), 'Hello'],
    ['flowed', text('text/plain; format=flowed', '7bit', 'one \r\ntwo\r\nthree'), 'one two\nthree'],
    ['NUL and other control characters', text('text/plain', '8bit', 'a\u0000b\u0007c\rd\te'), 'abc\nd\te'],
    [
      'bytes that are no text',
      text('text/plain; charset=utf-8', '8bit', Buffer.from([0x61, 0xff, 0xfe, 0x62])),
      'a\ufffd\ufffdb',
    ],
  ])('%s', async (_shape, raw, expected) => {
    expect((await read(raw)).wholeText.trim()).toBe(expected)
  })

  test('UTF-7 is not read as such', async () => {
    expect((await read(text('text/html; charset=utf-7', '7bit', '+ADw-script+AD4-'))).html).not.toContain('<')
  })

  test('a subject in pieces, in any charset, in one line', async () => {
    const subject = '=?utf-8?Q?Gr=C3=B6?=\r\n =?iso-8859-1?B?32U=?= and\r\n more =?utf-8?Q?=0D=0ABcc:_x?='
    expect((await read(mailOf({ Subject: subject }))).subject).toBe('Größe and more Bcc: x')
    expect((await read(mailOf({ Subject: 'Größe' }))).subject).toBe('Größe')
    expect((await read('From: a@b.example\r\n\r\nHello')).subject).toBe('')
  })

  test('without a header that ends, or with an mbox line above', async () => {
    expect(await read('From: a@b.example\r\nSubject: Help')).toMatchObject({
      subject: 'Help',
      wholeText: '',
      uncertain: true,
    })
    expect(await read(`From ada@example.com Mon Jan  5 10:00:00 2026\n${mailOf({})}`)).toMatchObject({
      newestText: 'Hello.',
      from: { address: 'ada@example.com' },
    })
    // In an obsolete form it is a second author all the same (RFC 5322, section 4.5).
    expect(await read(`From : eve@evil.example\r\n${mailOf({})}`)).toMatchObject({ fromFault: 'many_fields' })
    expect(await read(mailOf({}).replaceAll('\r\n', '\n'))).toMatchObject({ newestText: 'Hello.' })
  })
})

describe('a mail that breaks a bound is unreadable', () => {
  const nested = (depth: number) => {
    let part = 'Content-Type: text/plain\r\n\r\ndeep'
    for (let at = depth; at > 0; at--)
      part = `Content-Type: multipart/mixed; boundary=b${at}\r\n\r\n--b${at}\r\n${part}\r\n--b${at}--`
    return `From: a@b.example\r\n${part}\r\n`
  }

  test('201 parts', async () => {
    const some = multipart(Array(MOST_PARTS - 1).fill('Content-Type: application/pdf\r\n\r\nx'))
    expect((await read(some)).attachments).toHaveLength(MOST_PARTS - 1)
    expect(await unreadable(multipart(Array(MOST_PARTS).fill(TEXT)))).toEqual({
      unreadable: 'too_many_parts',
    })
    expect(await unreadable(multipart(Array(100_000).fill('\r\nx')))).toEqual({
      unreadable: 'too_many_parts',
    })
  })

  test('parts in parts in parts', async () => {
    expect((await read(nested(DEEPEST_PART))).wholeText).toBe('deep')
    expect(await unreadable(nested(DEEPEST_PART + 1))).toEqual({ unreadable: 'too_deep' })
    expect(await unreadable(nested(5000))).toHaveProperty('unreadable')
  })

  test('25 MiB', async () => {
    const raw = Buffer.alloc(MAIL_BYTES + 1, mailOf({}))
    expect(await unreadable(raw)).toEqual({ unreadable: 'too_large' })
  })

  test('a header over 1 MiB, in one line, in many, or in the header of a part', async () => {
    const long = 'a'.repeat(1024 * 1024)
    expect(await unreadable(mailOf({ 'X-Long': long }))).toEqual({ unreadable: 'too_large' })
    expect(await unreadable(mailOf({ 'X-Long': 'b\r\n '.repeat(400_000) }))).toEqual({
      unreadable: 'too_large',
    })
    expect(await unreadable(multipart([TEXT, `X-Long: ${long}\r\n\r\nx`]))).toEqual({
      unreadable: 'too_large',
    })
  })

  test('nothing at all, or nothing but bytes', async () => {
    expect(await unreadable('')).toEqual({ unreadable: 'empty' })
    expect(await unreadable('\r\n\r\nHello')).toEqual({ unreadable: 'empty' })
    expect(await unreadable(Buffer.alloc(1000, 0))).toEqual({ unreadable: 'empty' })
    expect(await unreadable(Buffer.from([0xff, 0xd8, 0xff, 0xe0, 0x0a, 0x00, 0x3a, 0x0a]))).toEqual({
      unreadable: 'empty',
    })
  })

  test('but ten thousand header fields and a line of 900 KB are read', async () => {
    const many = Array.from({ length: 10_000 }, (_, at) => `X-${at}: value\r\n`).join('')
    expect(await read(mailOf({}, undefined, { head: many }))).toMatchObject({ newestText: 'Hello.' })
    expect(await read(mailOf({ 'X-Long': 'a'.repeat(900_000) }))).toMatchObject({ newestText: 'Hello.' })
    expect(await read(mailOf({ Cc: '(((('.repeat(200_000) }))).toMatchObject({ newestText: 'Hello.' })
  })
})
