import { describe, expect, test } from 'vitest'
import { isAddressRefused } from '../../src/mail/refused-address.ts'

describe('a mail server refuses a recipient for good', () => {
  test.each([
    '550 5.1.1 <ada@example.com>: Recipient address rejected: User unknown in virtual mailbox table',
    '550-5.1.1 The email account that you tried to reach does not exist. 550 5.1.1 Please try again',
    '550 Unrouteable address',
    '550 No such user here',
    '551 user not local',
    '550 5.2.1 The account is disabled',
    '554 5.7.1 <ada@example.com>: Recipient address rejected: user unknown',
    '550 5.0.0 <ada@example.com>... gone',
  ])('since there is no such address: %s', (answer) => {
    expect(isAddressRefused(Number(answer.slice(0, 3)), answer)).toBe(true)
  })

  test.each([
    '554 5.7.1 <ada@example.com>: Relay access denied',
    '550 relay not permitted',
    '550 5.7.1 Service unavailable; client host [192.0.2.1] blocked using a list',
    '550 5.7.26 This mail is unauthenticated: SPF [acme.example] did not pass',
    '550 5.1.8 <bounce@acme.example>: Sender address rejected: Domain not found',
    '550 5.1.7 The sender’s address was invalid',
    '552 5.2.2 Mailbox full',
    '550 5.2.2 user unknown or over quota',
    '554 transaction failed',
    '553 sorry, that domain is not in my list of allowed rcpthosts (#5.7.1)',
    '550 Administrative prohibition',
  ])('for another reason, and another mail may arrive: %s', (answer) => {
    expect(isAddressRefused(Number(answer.slice(0, 3)), answer)).toBe(false)
  })
})
