import { describe, expect, test } from 'vitest'
import { acknowledges, isAddressProven, sameAddress } from '../../src/mail/acknowledgement.ts'

const mail = { url: 'smtp://127.0.0.1', from: { name: '', address: 'a@acme.example' }, dkim: null }
const ADA = { actor: 'person', requesterEmail: 'ada@example.com' } as const

describe('mail goes only to an address that is known to be the requester\u2019s', () => {
  test.each([
    [{ email: 'ada@example.com', email_verified: true }, true],
    [{ email: 'ada@EXAMPLE.com', email_verified: true }, true],
    [{ email: 'ADA@example.com', email_verified: true }, false],
    [{ email: 'eve@example.com', email_verified: true }, false],
    [{ email: 'ada@example.com', email_verified: false }, false],
    [{ email: 'ada@example.com', email_verified: 'true' }, false],
    [{ email: 'ada@example.com' }, false],
    [{ email_verified: true }, false],
    [{ email: ['ada@example.com'], email_verified: true }, false],
    [Object.create({ email: 'ada@example.com', email_verified: true }), false],
  ])('the token says %j: %j', (claims, proven) => {
    expect(isAddressProven({ ...ADA, claims })).toBe(proven)
  })

  test('a trusted client is taken at its word', () => {
    expect(isAddressProven({ ...ADA, actor: 'client', claims: {} })).toBe(true)
  })

  test.each([
    ['verified', true, true],
    ['verified', false, false],
    ['always', true, true],
    ['always', false, true],
    ['never', true, false],
    ['never', false, false],
  ] as const)('acknowledge %s, proven %s: %s', (acknowledge, proven, expected) => {
    expect(acknowledges({ mail, acknowledge }, proven)).toBe(expected)
    expect(acknowledges({ mail: null, acknowledge }, proven)).toBe(false)
  })
})

test('one address is one whatever the case of its domain', () => {
  expect(sameAddress('"a@B"@Example.com', '"a@B"@example.COM')).toBe(true)
  expect(sameAddress('"a@b"@example.com', '"a@B"@example.com')).toBe(false)
})
