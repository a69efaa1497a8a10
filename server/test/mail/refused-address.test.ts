import { describe, expect, test } from 'vitest'
import { isAddressRefused, isReportedOfAddress } from '../../src/mail/refused-address.ts'
import { countWork } from '../work.ts'

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
    '554 IP address not found in DNS',
    '553 sorry, that domain is not in my list of allowed rcpthosts (#5.7.1)',
    '550 Administrative prohibition',
  ])('for another reason, and another mail may arrive: %s', (answer) => {
    expect(isAddressRefused(Number(answer.slice(0, 3)), answer)).toBe(false)
  })
})

describe('a report tells of a refusal', () => {
  test('where a bare reply code counts only for a mailbox, since the content may be what was refused', () => {
    expect(isReportedOfAddress(550, '550 <ada@example.com>: Recipient address rejected')).toBe(true)
    expect(isReportedOfAddress(null, 'Recipient address rejected')).toBe(false)
    expect(isReportedOfAddress(554, '554 Recipient address rejected')).toBe(false)
    expect(isReportedOfAddress(550, '550 Administrative prohibition')).toBe(false)
    expect(isReportedOfAddress(550, '550 This mailbox takes no virus')).toBe(false)
    expect(isReportedOfAddress(550, '550 <mailbox@example.com> rejected')).toBe(false)
  })

  test('in whose words lines are folded and paragraphs are not', () => {
    expect(isReportedOfAddress(null, 'The user\r\n  is unknown.')).toBe(true)
    expect(isReportedOfAddress(null, 'Hello.\n\nNo such user.\n\nThe sender has its mail.')).toBe(true)
    expect(isReportedOfAddress(null, 'It did not reach the address:\n\nunknown reason')).toBe(false)
    expect(isReportedOfAddress(null, 'No such user, sender.')).toBe(false)
    expect(isReportedOfAddress(null, 'No such user, or its mailbox is full.')).toBe(false)
  })

  test('at length is read in no time', () => {
    const worked = countWork()
    for (const part of ['\n', ' ', '<', '@', 'user ', 'user doesn’t have a x', 'a.', 'address\n'])
      isReportedOfAddress(550, part.repeat(30_000).slice(0, 30_000))
    expect(worked()).toBeLessThan(1000)
  })
})
