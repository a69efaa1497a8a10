import { expect, test } from 'vitest'
import { parseMailbox } from '../../src/config/mailbox.ts'

test.each([
  ['support@acme.example', '', 'support@acme.example'],
  ['Acme Support <support@acme.example>', 'Acme Support', 'support@acme.example'],
  ['<support@acme.example>', '', 'support@acme.example'],
  ['Acme<support@acme.example>', 'Acme', 'support@acme.example'],
  ['Zoë’s 商店 (EU) <support@acme.example>', 'Zoë’s 商店 (EU)', 'support@acme.example'],
  ['"Acme, Inc." <support@acme.example>', 'Acme, Inc.', 'support@acme.example'],
  ['"say \\"hi\\" <now>" <support@acme.example>', 'say "hi" <now>', 'support@acme.example'],
  ['Root <root@[127.0.0.1]>', 'Root', 'root@[127.0.0.1]'],
  ['Odd <"a>b"@acme.example>', 'Odd', '"a>b"@acme.example'],
  ['"a<b"@acme.example', '', '"a<b"@acme.example'],
])('one mailbox: %s', (text, name, address) => {
  expect(parseMailbox(text)).toEqual({ name, address })
})

test.each([
  '',
  'Acme Support',
  'support',
  'support@',
  'Acme <support@acme.example',
  'Acme <support@acme.example> more',
  'Acme <a@acme.example>, b@acme.example',
  'a@acme.example, b@acme.example',
  'a@acme.example, Acme <b@acme.example>',
  'Acme, Inc. <support@acme.example>',
  '"Acme <support@acme.example>',
  'Acme\r\nBcc: x <support@acme.example>',
  'Acme\u2028 <support@acme.example>',
  '"Acme\n" <support@acme.example>',
  'Acme\u0000 <support@acme.example>',
  'Acme \ud800 <support@acme.example>',
  'Acme <support@acme.example\r\n>',
  'Acme <süpport@acme.example>',
  `${'a'.repeat(201)} <support@acme.example>`,
])('not one mailbox: %j', (text) => {
  expect(parseMailbox(text)).toBeNull()
})
