import { randomBytes, randomUUID } from 'node:crypto'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { REPLY_LOCAL_LIMIT } from '../../src/config/brands-mail-schema.ts'
import { fromBase32, toBase32 } from '../../src/mail/base32.ts'
import {
  type ReplySide,
  type ReplyTo,
  readReplyAddress,
  removeSignedAddresses,
  signReplyAddress,
} from '../../src/mail/reply-address.ts'

const key = (fill: number) => Buffer.alloc(32, fill)
const REPLY = { local: 'support', domain: 'acme.example', keys: [key(1), key(2)] }
const TO: ReplyTo = {
  brandId: 'acme',
  ticketId: '0199c0ff-ee00-7000-8000-00000000000a',
  side: 'customer',
  recipient: 'ada@example.com',
}
const signed = signReplyAddress(REPLY, TO)

const side = fc.constantFrom<ReplySide>('desk', 'customer')
const to = fc.record({
  brandId: fc.stringMatching(/^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/),
  ticketId: fc.uuid(),
  side,
  recipient: fc.emailAddress(),
})

describe('an answer comes back to the ticket that it is of', () => {
  test('the address says ticket and side, and holds for the one who got it', () => {
    fc.assert(
      fc.property(to, (to) => {
        const read = readReplyAddress(REPLY, { brandId: to.brandId, address: signReplyAddress(REPLY, to) })
        expect(read).toMatchObject({ ticketId: to.ticketId, side: to.side })
        expect(read?.verify(to.recipient)).toBe(true)
      }),
    )
  })

  test('it is written the same for ever, since mails with it lie in mailboxes', () => {
    expect(signed).toBe('support+agm4b77oabyabaaaaaaaaaaabirjtobcdseznsy53lka@acme.example')
  })

  test('the longest local part that a brand may have leaves 64 octets before the @', () => {
    const longest = { ...REPLY, local: 'x'.repeat(REPLY_LOCAL_LIMIT) }
    expect(signReplyAddress(longest, TO).indexOf('@')).toBe(64)
  })

  test('mail servers may change the case of all of it', () => {
    for (const address of [signed.toUpperCase(), signed.replace('support', 'Support')]) {
      const read = readReplyAddress(REPLY, { brandId: 'acme', address })
      expect(read?.ticketId).toBe(TO.ticketId)
      expect(read?.verify('Ada@Example.com')).toBe(true)
    }
  })

  test('a key that is new signs, and what older ones signed still holds', () => {
    const newer = { ...REPLY, keys: [key(9), ...REPLY.keys] }
    expect(signReplyAddress(newer, TO)).not.toBe(signed)
    expect(readReplyAddress(newer, { brandId: 'acme', address: signed })?.verify(TO.recipient)).toBe(true)
    const rotated = { ...REPLY, keys: [key(9)] }
    expect(readReplyAddress(rotated, { brandId: 'acme', address: signed })?.verify(TO.recipient)).toBe(false)
  })
})

describe('nobody makes one up', () => {
  test('it holds for no other ticket, side, brand, recipient or key', () => {
    fc.assert(
      fc.property(to, to, (one, other) => {
        const address = signReplyAddress(REPLY, one)
        const verify = (brandId: string, recipient: string, keys = REPLY.keys) =>
          readReplyAddress({ ...REPLY, keys }, { brandId, address })?.verify(recipient) ?? false
        expect(verify(one.brandId, one.recipient)).toBe(true)
        fc.pre(one.brandId !== other.brandId)
        fc.pre(one.recipient.toLowerCase() !== other.recipient.toLowerCase())
        expect(verify(other.brandId, one.recipient)).toBe(false)
        expect(verify(one.brandId, other.recipient)).toBe(false)
        expect(verify(one.brandId, one.recipient, [randomBytes(32)])).toBe(false)
        // Another's ticket or side, with this one's signature behind it.
        const bytes = fromBase32(tagOf(address)) ?? Buffer.alloc(0)
        const stolen = fromBase32(tagOf(signReplyAddress(REPLY, { ...one, ticketId: other.ticketId })))
        const forged = Buffer.concat([stolen?.subarray(0, 17) ?? bytes, bytes.subarray(17)])
        fc.pre(!forged.equals(bytes))
        expect(verifies(forged, one)).toBe(false)
        const turned = Buffer.from(bytes)
        turned[16] = (turned[16] ?? 0) ^ 0x80
        expect(verifies(turned, one)).toBe(false)
      }),
    )
  })

  test('nor with any bit changed, the spare ones of the last letter among them', () => {
    const bytes = fromBase32(tagOf(signed)) ?? Buffer.alloc(0)
    expect(bytes.length).toBe(27)
    for (let bit = 0; bit < bytes.length * 8; bit += 1) {
      const changed = Buffer.from(bytes)
      changed[bit >> 3] = (changed[bit >> 3] ?? 0) ^ (1 << (bit & 7))
      expect(verifies(changed, TO)).toBe(false)
    }
    for (const letter of 'abcdefghijklmnopqrstuvwxyz234567') {
      const address = signed.replace(/.@/, `${letter}@`)
      const read = readReplyAddress(REPLY, { brandId: 'acme', address })
      expect(read?.verify(TO.recipient) ?? false).toBe(address === signed)
    }
  })

  test('an address of another form is none', () => {
    const others = [
      '',
      'support@acme.example',
      signed.replace('acme.example', 'globex.example'),
      signed.replace('support', 'sales'),
      signed.replace('+', '-'),
      signed.replace('@', 'a@'),
      signed.replace(/.@/, '@'),
      signed.replace(/.@/, '1@'),
      `x${signed}`,
      `${signed}x`,
      signed.replace('@', '@a@'),
    ]
    for (const address of others) expect(readReplyAddress(REPLY, { brandId: 'acme', address })).toBe(null)
    fc.assert(
      fc.property(fc.string(), (address) => {
        expect(readReplyAddress(REPLY, { brandId: 'acme', address })).toBe(null)
      }),
    )
  })

  function verifies(tag: Buffer, { brandId, recipient }: ReplyTo): boolean {
    const address = `support+${toBase32(tag)}@acme.example`
    return readReplyAddress(REPLY, { brandId, address })?.verify(recipient) ?? false
  }
})

describe('a signed address is shown to nobody else', () => {
  test.each([
    ['as it is', `To: ${signed}, bob@example.com`, 'To: support@acme.example, bob@example.com'],
    ['in capitals', `<${signed.toUpperCase()}>`, '<SUPPORT@ACME.EXAMPLE>'],
    [
      'in a link',
      `mailto:${signed.replace('+', '%2B').replace('@', '%40')}`,
      'mailto:support%40acme.example',
    ],
    ['in HTML', signed.replace('+', '&#43;').replace('@', '&#x40;'), 'support&#x40;acme.example'],
    [
      'in a link within a link',
      `?u=mailto%3A${signed.replace('+', '%252B').replace('@', '%2540')}`,
      '?u=mailto%3Asupport%2540acme.example',
    ],
    ['in quoted-printable', signed.replace('+', '=2B').replace('@', '=40'), 'support=40acme.example'],
    ['in HTML that is shown as text', signed.replace('+', '&amp;#43;'), 'support@acme.example'],
    ['cut before the @', signed.slice(0, signed.indexOf('@')), 'support'],
  ])('%s', (_, text, left) => {
    expect(removeSignedAddresses([REPLY], text)).toBe(left)
  })

  test('wherever it stands, and whosever it is', () => {
    fc.assert(
      fc.property(to, fc.string(), fc.string(), (to, before, after) => {
        const text = `${before} ${signReplyAddress(REPLY, to)} ${after}`
        expect(removeSignedAddresses([REPLY], text)).toBe(`${before} support@acme.example ${after}`)
      }),
    )
  })

  test('what only looks like one stays', () => {
    const text = `support+newsletter@acme.example, sales+${tagOf(signed)}@acme.example`
    expect(removeSignedAddresses([REPLY], text)).toBe(text)
    const punctuated = { ...REPLY, local: 'a.b' }
    expect(removeSignedAddresses([punctuated], `axb+${tagOf(signed)}@acme.example`)).toContain(tagOf(signed))
  })
})

test('base32 gives back what went in, and takes no second spelling', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 64 }), (bytes) => {
      const text = toBase32(bytes)
      expect(text).toMatch(/^[a-z2-7]*$/)
      expect(fromBase32(text.toUpperCase())).toEqual(Buffer.from(bytes))
    }),
  )
  // RFC 4648, section 10.
  expect(toBase32(Buffer.from('foobar'))).toBe('mzxw6ytboi')
  for (const wrong of ['mz=', 'm0', 'mb', 'a', 'mzxw6ytbo', ' ', randomUUID()])
    expect(fromBase32(wrong)).toBe(null)
})

function tagOf(address: string): string {
  return address.slice(address.indexOf('+') + 1, address.indexOf('@'))
}
