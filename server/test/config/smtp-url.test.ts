import { expect, test } from 'vitest'
import { smtpUrlFaults } from '../../src/config/smtp-url.ts'

test.each([
  'smtp://127.0.0.1:2525',
  'smtp://localhost',
  'smtp://[::1]:25',
  'smtp://mail.acme.example',
  'smtps://mail.acme.example:465/',
  'smtps://bellhop:p%40ss%2Fword@mail.acme.example',
  'smtp://bellhop:secret@mail.acme.example:587?requireTLS=true',
  'smtp://bellhop:secret@127.0.0.1:1025',
  'smtp://mail.acme.example?ignoreTLS=true',
  'smtps://mail.acme.example?tls.rejectUnauthorized=false&tls.servername=mx.acme.example&name=bellhop.acme.example',
])('a mail server that can be used: %s', (url) => {
  expect(smtpUrlFaults(url)).toEqual([])
})

const FORM = 'expected smtp://host:port'
const OPTIONS = 'expected no options but requireTLS, ignoreTLS, name, tls.rejectUnauthorized, tls.servername'
const CREDENTIALS = 'expected credentials as user:password@, both percent-encoded, or none'
const CLEAR = 'expected smtps:// or ?requireTLS=true'

test.each([
  ['', FORM],
  ['mail.acme.example', FORM],
  ['http://mail.acme.example', FORM],
  ['SMTP:mail.acme.example', FORM],
  ['smtp://', FORM],
  ['smtp:///path', FORM],
  ['smtp://mail.acme.example:0', FORM],
  ['smtp://mail.acme.example:99999', FORM],
  ['smtp://mail.acme.example/inbox', FORM],
  ['smtp://mail.acme.example#x', FORM],
  ['smtp://mail.acme.example\n', FORM],
  ['smtp://mail acme.example', FORM],
  ['smtp://mail%00.acme.example', FORM],
  ['smtp://a,b.acme.example', FORM],
  ['smtps://u:p#word@mail.acme.example', FORM],
  ['smtps://u@mail.acme.example', CREDENTIALS],
  ['smtps://:p@mail.acme.example', CREDENTIALS],
  ['smtps://u:100%@mail.acme.example', CREDENTIALS],
  ['smtp://mail.acme.example?debug=true', OPTIONS],
  ['smtp://mail.acme.example?__proto__=1', OPTIONS],
  ['smtp://mail.acme.example?tls.ca=x', OPTIONS],
  ['smtp://mail.acme.example?host=other', OPTIONS],
  ['smtp://mail.acme.example?requireTLS=yes', 'expected true or false for the option requireTLS'],
  ['smtp://mail.acme.example?name=a%0d%0ab', 'expected a host name for the option name'],
  ['smtp://mail.acme.example?requireTLS=true&requireTLS=false', 'expected each option once'],
  ['smtp://mail.acme.example?requireTLS=true&ignoreTLS=true', 'expected one of requireTLS and ignoreTLS'],
  ['smtp://u:p@mail.acme.example', CLEAR],
  ['smtp://u:p@mail.acme.example?ignoreTLS=true', CLEAR],
  ['smtp://u:p@localhost.acme.example', CLEAR],
])('a mail server that cannot: %s', (url, fault) => {
  const faults = smtpUrlFaults(url)
  expect(faults.length).toBe(1)
  expect(faults[0]).toContain(fault)
})
