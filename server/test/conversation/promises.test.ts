import { describe, expect, test } from 'vitest'
import {
  type MessageFacts,
  needsPeople,
  type People,
  promisesOfMessage,
  promisesOfStatus,
} from '../../src/conversation/promises.ts'
import { brandOf } from '../bellhop.ts'
import { smtpDesk } from '../deliveries/mail-desk.ts'
import { ISSUER, MAIL, SECRET } from './scene.ts'

const plain = brandOf('plain', ISSUER)
const mailing = brandOf('mailing', ISSUER, { mail: MAIL })
const hook = { connector: 'webhook', url: 'https://desk.example/', secret: SECRET } as const

const message = (author: MessageFacts['author'], what: Partial<MessageFacts> = {}): MessageFacts => ({
  author,
  heldFor: null,
  automatic: false,
  authorAddress: null,
  ...what,
})
const people = (what: Partial<People> = {}): People => ({
  requester: { address: 'ada@Example.com', proven: true },
  participants: [],
  ...what,
})
const told = (...asked: Parameters<typeof promisesOfMessage>) =>
  promisesOfMessage(...asked).map(({ side, kind, recipient }) => [side, kind, recipient].join(' '))

describe('what is said goes', () => {
  test.each([plain, mailing])('to the desk where a customer or a participant says it', (brand) => {
    for (const author of ['customer', 'participant'] as const) {
      expect(told(brand, message(author), people())).toEqual(['desk message '])
    }
  })

  test('to the requester and each participant once, by mail, where an agent does', () => {
    const participants = ['bob@example.com', 'ada@example.com', 'carol@example.com']
    expect(told(mailing, message('agent'), people({ participants }))).toEqual([
      'customer message ada@example.com',
      'customer message bob@example.com',
      'customer message carol@example.com',
    ])
  })

  test('nowhere where the brand sends no mail', () => {
    expect(told(plain, message('agent'), people())).toEqual([])
    expect(needsPeople(plain, message('agent'))).toBe(false)
    expect(needsPeople(mailing, message('agent'))).toBe(true)
  })

  test.each([
    ['note', {}],
    ['system', {}],
    ['agent', { automatic: true }],
    ['agent', { heldFor: 'uncertain_text' }],
    ['customer', { automatic: true }],
    ['customer', { heldFor: 'loop' }],
    ['participant', { heldFor: 'loop' }],
    ['note', { heldFor: 'odd', authorAddress: 'grace@acme.example' }],
  ] as const)('nowhere where it is not for customers: %s %j', (author, what) => {
    for (const brand of [plain, mailing, { ...mailing, desk: smtpDesk(9) }]) {
      expect(told(brand, message(author, what), people())).toEqual([])
    }
  })
})

describe('a notice instead of the answer', () => {
  const unproven = people({
    requester: { address: 'ada@example.com', proven: false },
    participants: ['bob@example.com'],
  })

  test('goes to an address that nobody has proven, where answers are for proven ones', () => {
    expect(told({ ...mailing, answers: 'verified' }, message('agent'), unproven)).toEqual([
      'customer notice ada@example.com',
      'customer message bob@example.com',
    ])
    expect(told({ ...mailing, answers: 'always' }, message('agent'), unproven)).toEqual([
      'customer message ada@example.com',
      'customer message bob@example.com',
    ])
  })

  test('goes to everybody where the brand is private', () => {
    const participants = ['bob@example.com']
    for (const answers of ['always', 'verified'] as const) {
      expect(
        told({ ...mailing, private: true, answers }, message('agent'), people({ participants })),
      ).toEqual(['customer notice ada@example.com', 'customer notice bob@example.com'])
    }
  })
})

test('an agent whose answer by mail is held is told so, where the desk is a mailbox', () => {
  const held = message('agent', { heldFor: 'uncertain_text', authorAddress: 'grace@acme.example' })
  const mailbox = { ...mailing, desk: smtpDesk(9) }
  expect(told(mailbox, held, people())).toEqual(['desk returned grace@acme.example'])
  expect(told(mailbox, { ...held, automatic: true }, people())).toEqual([])
  expect(told({ ...mailing, desk: hook }, held, people())).toEqual([])
})

test('a webhook desk alone is told of a status, and not of what it did itself', () => {
  expect(promisesOfStatus(hook, 'solved', 'person')).toEqual([
    { side: 'desk', kind: 'status', recipient: null, status: 'solved' },
  ])
  expect(promisesOfStatus(hook, 'solved', 'desk')).toEqual([])
  expect(promisesOfStatus({ connector: 'inbox' }, 'solved', 'person')).toEqual([])
  expect(promisesOfStatus(smtpDesk(9), 'solved', 'person')).toEqual([])
})
