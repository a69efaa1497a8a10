import { describe, expect, test } from 'vitest'
import { composeMail, type Mail } from '../../src/connectors/mail-message.ts'
import { bytesOf, mail, read } from './a-mail.ts'

describe('the message as mail servers see it', () => {
  const raw = async (change: Partial<Mail>) => (await bytesOf(mail(change))).toString('latin1')
  const file = (change: Partial<Mail['attachments'][number]>) => ({
    attachments: [
      { filename: 'a.bin', contentType: 'text/csv', content: Buffer.from('1;2\r\n\r3\n'), ...change },
    ],
  })

  test('ordinary mail stays readable without decoding', async () => {
    const bytes = await raw({
      subject: 'Re: 50% of "rows" = lost?',
      body: 'Hello,\nrow 1000 is missing.\n\nAda\n',
    })
    expect(bytes).toContain('\r\nSubject: Re: 50% of "rows" = lost?\r\n')
    expect(bytes).toContain('\r\nReply-To: "Ada Lovelace"\r\n <ada@example.com>\r\n')
    expect(bytes).toContain('\r\nDate: Sun, 01 Mar 2026 09:30:00 +0000\r\n')
    expect(bytes).toContain('\r\n\r\nHello,\r\nrow 1000 is missing.\r\n\r\nAda\r\n')
  })

  test('what servers and mailbox files act on, or lose, at the edges of a line is written out', async () => {
    const bytes = await raw({ body: '.\nFrom Ada\nsigned \n' })
    expect(bytes).toContain('\r\n\r\n=2E\r\n=46rom Ada\r\nsigned=20\r\n')
  })

  test('CRLF, CR and LF in a subject are one space each', async () => {
    const bytes = await bytesOf(mail({ subject: 'a\r\nb\rc\nd\n\re' }))
    expect((await read(bytes)).subject).toBe('a b c d  e')
  })

  test('an encoded-word has at most 75 characters and is well-formed by itself', async () => {
    for (const subject of ['👩‍👩‍👧'.repeat(200), `é ${'x'.repeat(900)}`, '日本語'.repeat(300)]) {
      const words = (await raw({ subject })).match(/=\?UTF-8\?[QB]\?[^?]*\?=/g) ?? []
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
      const bytes = await bytesOf(mail({ body }))
      expect(bytes.subarray(-2).toString()).toBe('\r\n')
      expect((await read(bytes)).text).toBe(body)
    }
  })

  test('a retry is the same bytes, and the message can be asked for twice', async () => {
    const composed = await composeMail(mail(file({})))
    const once = Buffer.concat([...composed.pieces()])
    expect(Buffer.concat([...composed.pieces()]).equals(once)).toBe(true)
    expect((await bytesOf(mail(file({})))).equals(once)).toBe(true)
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
      const bytes = await bytesOf(mail(file({ contentType: declared })))
      const attachment = (await read(bytes)).attachments[0]
      expect([declared, attachment?.contentType]).toEqual([declared, sent])
      expect(attachment?.content.toString()).toBe('1;2\r\n\r3\n')
      expect(bytes.toString('latin1')).not.toMatch(/evil|flowed/)
    }
  })

  test('a charset of the declared type is kept, a boundary or a name in it is not', async () => {
    const bytes = await raw(
      file({ contentType: 'text/csv; charset=utf-16; name=evil.exe; header="present, yes"' }),
    )
    expect(bytes).toContain(
      'Content-Type: text/csv;\r\n charset="utf-16";\r\n header="present, yes";\r\n name="a.bin"\r\n',
    )
    expect(bytes).not.toContain('evil')
  })

  test('a file name of 3,000 characters is cut into short lines and comes back whole', async () => {
    for (const filename of [`${'é'.repeat(3000)}.pdf`, `${'x'.repeat(3000)}.pdf`, '../../"é\r\n.exe']) {
      const bytes = await bytesOf(mail(file({ filename })))
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

  test('ten MiB are written piece by piece', async () => {
    const content = Buffer.alloc(10 * 1024 * 1024, 'bytes')
    const composed = await composeMail(mail(file({ content })))
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
