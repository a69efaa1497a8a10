import { expect, test } from 'vitest'
import { readImapUrl } from '../../src/config/imap-url.ts'

test.each([
  [
    'imaps://bellhop:p%40ss%2Fword@mail.acme.example',
    { host: 'mail.acme.example', port: 993, secure: true, pass: 'p@ss/word', mailbox: 'INBOX' },
  ],
  [
    'imaps://support%40acme.example:secret@mail.acme.example:9993/Support%2FB%C3%BCcher',
    { port: 9993, user: 'support@acme.example', mailbox: 'Support/Bücher' },
  ],
  [
    'imap://bellhop:secret@mail.acme.example/INBOX?requireTLS=true',
    { port: 143, secure: false, requireTls: true },
  ],
  [
    'imap://bellhop:secret@127.0.0.1:1143/',
    { port: 1143, secure: false, requireTls: false, mailbox: 'INBOX' },
  ],
  ['imaps://bellhop:secret@[::1]/INBOX', { host: '::1' }],
])('a mailbox that can be read: %s', (url, mailbox) => {
  expect(readImapUrl(url)).toMatchObject(mailbox)
})

const FORM = 'expected imaps://user:password@host:port/mailbox'
const CREDENTIALS = 'expected credentials as user:password@'
const MAILBOX = 'expected the name of one mailbox'
const OPTION = 'expected no option but requireTLS=true'

test.each([
  ['', FORM],
  ['https://bellhop:secret@mail.acme.example', FORM],
  ['imaps://bellhop:secret@mail.acme.example:0', FORM],
  ['imaps://bellhop:sec#ret@mail.acme.example', FORM],
  ['imaps://bellhop:secret@mail.acme.example/IN BOX', FORM],
  ['imaps://bellhop:secret@mail%00.acme.example', FORM],
  ['imaps://mail.acme.example', CREDENTIALS],
  ['imaps://bellhop@mail.acme.example', CREDENTIALS],
  ['imaps://bellhop:100%@mail.acme.example', CREDENTIALS],
  ['imaps://bell%0d%0ahop:secret@mail.acme.example', CREDENTIALS],
  ['imaps://bellhop:secret@mail.acme.example/%0d%0aA1%20DELETE', MAILBOX],
  ['imaps://bellhop:secret@mail.acme.example/%ff', MAILBOX],
  ['imaps://bellhop:secret@mail.acme.example?tls=false', OPTION],
  ['imaps://bellhop:secret@mail.acme.example?requireTLS=yes', OPTION],
  ['imaps://bellhop:secret@mail.acme.example?requireTLS=true&requireTLS=true', OPTION],
  ['imap://bellhop:secret@mail.acme.example', 'expected imaps:// or ?requireTLS=true'],
  ['imap://bellhop:secret@mail.acme.example?requireTLS=false', 'expected imaps:// or ?requireTLS=true'],
  ['imap://bellhop:secret@localhost.acme.example', 'expected imaps:// or ?requireTLS=true'],
])('a mailbox that cannot: %s', (url, fault) => {
  const faults = readImapUrl(url)
  expect(faults).toEqual([expect.stringContaining(fault)])
  expect(JSON.stringify(faults)).not.toContain('secret')
})
