import { describe, expect, test } from 'vitest'
import { readRefusal } from '../../src/connectors/smtp-refusal.ts'
import { countWork } from '../work.ts'

const refusal = (answer: string) => readRefusal(Number(answer.slice(0, 3)), answer)

const SERVER = { addressRefused: false, ofRecipient: false, ofOperator: false }
const RECIPIENT = { ...SERVER, ofRecipient: true }
const OPERATOR = { ...SERVER, ofOperator: true }
const ADDRESS = { ...SERVER, addressRefused: true }

describe('a mail server refuses a recipient', () => {
  test.each([
    '452 4.2.2 <ada@example.com>: Mailbox full',
    '450-4.2.1 The user you are trying to contact is receiving mail too quickly. 450 4.2.1 Try later',
    '450 4.2.0 <ada@example.com>: Recipient address rejected: Greylisted for 300 seconds',
    '451 4.7.1 Greylisting in action, please come back later',
    '450 4.7.1 Client host rejected: grey listed',
    '450 4.1.1 <ada@example.com>: Recipient address rejected: unverified address: host mx.relay.example said no',
    '450 Requested mail action not taken: mailbox unavailable',
    '452 user is over quota',
    '452 4.0.0 mailbox is full',
  ])('whose mailbox it is for now: %s', (answer) => {
    expect(refusal(answer)).toEqual(RECIPIENT)
  })

  test.each([
    '451 Temporary local problem - please try later',
    '451 4.3.0 <ada@example.com>: Temporary lookup failure',
    '452 4.3.1 Insufficient system storage',
    '450 4.7.1 too many messages from you, daily quota exceeded',
    '450 daily quota exceeded',
    '454 4.7.0 Temporary authentication failure',
    '450 authentication of the mailbox failed',
    '451 4.7.1 <ada@example.com>: Recipient address rejected: Intended policy rejection, please try later',
    '421 4.2.1 mailbox busy, closing',
    '421 greylisting, closing',
    '450 try again',
    '450 <mailbox@quota.example>: not now',
    '554 transaction failed',
  ])('and it is the server itself, or nobody knows: %s', (answer) => {
    expect(refusal(answer)).toEqual(SERVER)
  })

  test.each([
    '454 4.7.1 <ada@example.com>: Relay access denied',
    '554 5.7.1 <ada@example.com>: Relay access denied',
    '550 5.7.1 relaying denied',
    '550 5.7.54 SMTP; Unable to relay recipient in non-accepted domain',
    '553 sorry, that domain isn’t in my list of allowed rcpthosts (#5.7.1)',
    '554 5.7.1 Service unavailable; Client host [192.0.2.1] blocked using zen.spamhaus.example',
    '450 4.7.1 Client host rejected: cannot find your hostname, [192.0.2.1]',
    '550 5.7.1 Messages from [192.0.2.1] weren’t sent: part of their network is on our block list',
    '550 192.0.2.1 is blacklisted',
    '553 5.7.1 <support@acme.example>: Sender address rejected: not owned by user bellhop',
    '450 4.1.8 <support@acme.example>: Sender address rejected: Domain not found',
    '550 5.1.0 <support@acme.example>: Sender address rejected: User unknown in virtual mailbox table',
  ])('for what the operator has to mend: %s', (answer) => {
    expect(refusal(answer)).toEqual(OPERATOR)
  })

  test.each([
    '550 5.7.1 <bob@relay.example>: Recipient rejected by policy',
    '550 5.7.1 bob@relay.example: Recipient rejected by policy',
    '550 5.7.1 Rejected by relay.example, and by mx-relay.example',
    '450 4.7.1 <blacklist@blocklist.example>: not now',
  ])('and an address, or a host, says nothing by its name: %s', (answer) => {
    expect(refusal(answer)).toEqual(SERVER)
  })

  test.each(['550 5.1.1 <ada@example.com>: User unknown', '550 <sender@quota.example> Unrouteable'])(
    'that is not there: %s',
    (answer) => expect(refusal(answer)).toEqual(ADDRESS),
  )
})

test('an answer that is long and of one letter is read in no time', () => {
  const worked = countWork()
  for (const letter of ['x', '<', '@', 'user ', 'a.']) refusal(`450 ${letter.repeat(30_000)}`)
  expect(worked()).toBeLessThan(1000)
})
