import { describe, expect, test } from 'vitest'
import { isMailbox } from '../src/index.ts'

const a = (count: number) => 'a'.repeat(count)
/** Labels of 63 characters and less, `count` in all. */
const domain = (count: number) => {
  const labels: string[] = []
  for (let left = count; left > 0; left -= 64) labels.push(a(Math.min(63, left)))
  return labels.join('.')
}

describe('addresses that mail can be sent to', () => {
  test.each([
    ['as most are', 'ada@example.com'],
    ['a domain without a dot', 'a@localhost'],
    ['a name with dots', 'ada.king.lovelace@example.com'],
    ['a tag', 'ada+orders@example.com'],
    ['every character of an atom', "!#$%&'*+-/=?^_`{|}~@example.com"],
    ['digits alone', '42@1.example'],
    ['a label in Punycode', 'ada@xn--bcher-kva.example'],
    ['a quoted name', '"ada lovelace"@example.com'],
    ['a quoted name without a character', '""@example.com'],
    ['a quoted @', '"ada@home"@example.com'],
    ['a quoted quote and backslash', String.raw`"a\"b\\c"@example.com`],
    ['quoted angle brackets', '"a<b>c"@example.com'],
    ['quoted dots that an atom could not have', '"..a.."@example.com'],
    ['an IPv4 address', 'ada@[192.0.2.1]'],
    ['an IPv6 address', 'ada@[IPv6:2001:db8::1]'],
    ['an IPv6 address in full', 'ada@[IPv6:2001:db8:0:0:0:0:0:1]'],
    ['an IPv6 address that ends in an IPv4 one', 'ada@[IPv6:::ffff:192.0.2.1]'],
    ['a local part of 64 octets', `${a(64)}@example.com`],
    ['a quoted local part of 64 octets', `"${a(62)}"@example.com`],
    ['254 octets in all', `${a(64)}@${domain(189)}`],
  ])('%s', (_what, address) => {
    expect(isMailbox(address)).toBe(true)
  })
})

describe('texts that are no address', () => {
  test.each([
    ['nothing', ''],
    ['no @', 'ada'],
    ['no name', '@example.com'],
    ['no domain', 'ada@'],
    ['two @', 'ada@home@example.com'],
    ['a space', 'ada lovelace@example.com'],
    ['a space before it', ' ada@example.com'],
    ['a space after it', 'ada@example.com '],
    ['a line break after it', 'ada@example.com\n'],
    ['a name as in a From header', 'Ada <ada@example.com>'],
    ['a list of two', 'ada@example.com,eve@example.com'],
    ['a comment', 'ada(home)@example.com'],
    ['dots that touch', 'ada..king@example.com'],
    ['a dot first', '.ada@example.com'],
    ['a dot last', 'ada.@example.com'],
    ['a domain with a dot at its end', 'ada@example.com.'],
    ['a domain with dots that touch', 'ada@example..com'],
    ['a label with a hyphen first', 'ada@-example.com'],
    ['a label with a hyphen last', 'ada@example-.com'],
    ['an underscore in the domain', 'ada@my_host.example'],
    ['a label of 64 octets', `ada@${a(64)}.example`],
    ['a local part of 65 octets', `${a(65)}@example.com`],
    ['a quoted local part of 65 octets', `"${a(63)}"@example.com`],
    ['255 octets in all', `${a(64)}@${domain(190)}`],
    ['a name in another script', 'äda@example.com'],
    ['a domain in another script', 'ada@bücher.example'],
    ['CR in quotes', '"a\rb"@example.com'],
    ['LF in quotes', '"a\nb"@example.com'],
    ['an escaped LF in quotes', '"a\\\nb"@example.com'],
    ['NUL in quotes', '"a\0b"@example.com'],
    ['an escaped NUL in quotes', '"a\\\0b"@example.com'],
    ['a tab in quotes', '"a\tb"@example.com'],
    ['another header after a line break', 'ada@example.com\r\nBcc: eve@example.com'],
    ['NUL at the end', 'ada@example.com\0'],
    ['a lone surrogate', 'ada\ud800@example.com'],
    ['an unclosed quote', '"ada@example.com'],
    ['a quote inside quotes', '"a"b"@example.com'],
    ['words beside quotes', 'ada"king"@example.com'],
    ['an escape that escapes the closing quote', String.raw`"ada\"@example.com`],
    ["an IPv4 address without brackets' end", 'ada@[192.0.2.1'],
    ['an IPv4 address with a number too big', 'ada@[192.0.2.256]'],
    ['an IPv4 address of three numbers', 'ada@[192.0.2]'],
    ['an IPv4 address with a dot at its end', 'ada@[192.0.2.1.]'],
    ['an IPv6 address without its tag', 'ada@[2001:db8::1]'],
    ['an IPv6 address with two gaps', 'ada@[IPv6:2001::db8::1]'],
    ['an IPv6 address with a zone', 'ada@[IPv6:fe80::1%eth0]'],
    ['an IPv6 address of nothing', 'ada@[IPv6:]'],
    ['a literal of another kind', 'ada@[DNS:example.com]'],
    ['empty brackets', 'ada@[]'],
    ['an address of the old source routes', '@relay.example:ada@example.com'],
  ])('%s', (_what, address) => {
    expect(isMailbox(address)).toBe(false)
  })
})

test('a hostile text of many characters is judged at once', () => {
  const started = process.cpuUsage()
  for (const text of [`"${'\\a'.repeat(500_000)}`, `${'a.'.repeat(500_000)}@b`, `a@${'a-'.repeat(120)}`]) {
    expect(isMailbox(text)).toBe(false)
  }
  // Work of this process alone: the machine may be busy with others.
  expect(process.cpuUsage(started).user / 1000).toBeLessThan(500)
})
