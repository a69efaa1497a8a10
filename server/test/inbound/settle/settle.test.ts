import fc from 'fast-check'
import { describe, expect, it, test } from 'vitest'
import type { ReadMail } from '../../../src/inbound/reading/read-mail.ts'
import { type Facts, isAutomatic, settle, type UnreadMail } from '../../../src/inbound/settle.ts'
import { aReadMail, aTicket, marks, proven, theFacts, unproven } from './a-read-mail.ts'

/** What a mail is settled as, with its reason. */
function settled(mail: Partial<ReadMail> | UnreadMail, facts: Partial<Facts> = {}): string {
  const whole = 'unreadable' in mail ? mail : aReadMail(mail)
  const decision = settle(whole, theFacts(facts))
  return 'reason' in decision ? `${decision.as} ${decision.reason}` : decision.as
}

const BOUNCE: ReadMail['bounce'] = {
  kind: 'hard',
  recipient: 'ada@example.com',
  status: '5.1.1',
  originalMessageId: '<x@acme.example>',
  isOfServer: true,
}
const SERVER = {
  bounce: BOUNCE,
  from: { address: 'mailer-daemon@mx.example', name: null },
  authentication: unproven(),
}
const BOUNCED = { deliveryId: 'd', isOfRecipient: true }
const VACATION = marks({ autoSubmitted: 'auto-replied' })
const ON_TICKET = { tickets: [aTicket()] }

describe('each row', () => {
  test.each([
    ['cannot be read', { unreadable: 'too_deep' }, {}, 'quarantined unreadable_too_deep'],
    ['a process died of it', { unreadable: 'failed' }, {}, 'quarantined unreadable_failed'],
    ['one that was taken', {}, { isTaken: true }, 'duplicate'],
    ['a bounce of ours', SERVER, { bounceOf: BOUNCED }, 'bounce'],
    ['a bounce of somebody else’s', SERVER, {}, 'quarantined bounce_unknown'],
    ['a machine’s on a ticket', { automatic: VACATION }, ON_TICKET, 'automatic'],
    ['a machine’s without a ticket', { automatic: VACATION }, {}, 'quarantined automatic'],
    ['an answer', {}, ON_TICKET, 'reply'],
    ['to the brand', {}, {}, 'new_ticket'],
    [
      'to the brand, of nobody who is proven',
      { authentication: unproven() },
      { isToBrand: true },
      'new_ticket',
    ],
    ['to nobody that we know', {}, { isToBrand: false }, 'quarantined not_to_brand'],
    ['to a brand that opens no tickets', {}, { acceptsNew: false }, 'quarantined no_ticket'],
  ] as [string, Partial<ReadMail> | UnreadMail, Partial<Facts>, string][])(
    '%s',
    (_, mail, facts, expected) => {
      expect(settled(mail, facts)).toBe(expected)
    },
  )
})

describe('their order: a mail that fits a row and every one below it is settled by the upper one', () => {
  const all: Partial<ReadMail> = { ...SERVER, automatic: VACATION }
  const below: Partial<Facts> = { ...ON_TICKET, bounceOf: BOUNCED, isTaken: true }
  it('cannot be read, before it is a duplicate', () => {
    expect(settled({ unreadable: 'parser' }, below)).toBe('quarantined unreadable_parser')
  })
  it('a duplicate, before it is a bounce', () => {
    expect(settled(all, below)).toBe('duplicate')
  })
  it('a bounce, before it is automatic', () => {
    expect(settled(all, { ...below, isTaken: false })).toBe('bounce')
  })
  it('automatic, before it is a reply', () => {
    expect(settled({ automatic: VACATION }, ON_TICKET)).toBe('automatic')
  })
  it('a reply, before it is a new ticket', () => {
    expect(settled({}, { ...ON_TICKET, isToBrand: true, acceptsNew: true })).toBe('reply')
  })
})

describe('who speaks', () => {
  test.each([
    ['no From', { from: null, fromFault: 'none' }, 'quarantined from_none'],
    ['two From fields', { from: null, fromFault: 'many_fields' }, 'quarantined from_many_fields'],
    ['two mailboxes', { from: null, fromFault: 'many_mailboxes' }, 'quarantined from_many_mailboxes'],
    ['an author who is not proven', { authentication: unproven() }, 'quarantined not_authenticated'],
  ] as [string, Partial<ReadMail>, string][])('%s is quarantined on a ticket', (_, mail, expected) => {
    expect(settled(mail, ON_TICKET)).toBe(expected)
    expect(settled({ ...mail, automatic: VACATION }, ON_TICKET)).toBe(expected)
  })

  it('two From fields open no ticket either', () => {
    expect(settled({ from: null, fromFault: 'many_fields' })).toBe('quarantined from_many_fields')
  })

  it('somebody who may not speak on the ticket opens no new one instead', () => {
    expect(settled({}, { tickets: [aTicket({ speaker: null })] })).toBe('quarantined stranger')
  })

  it('nobody speaks on a closed ticket', () => {
    expect(settled({}, { tickets: [aTicket({ isClosed: true })] })).toBe('quarantined ticket_closed')
    expect(settled({}, { tickets: [aTicket({ isFull: true })] })).toBe('quarantined ticket_full')
  })

  it('whom DNS cannot tell now is tried again, and after a day quarantined', () => {
    const unclear = { authentication: unproven({ temporary: true }) }
    expect(settled(unclear, ON_TICKET)).toBe('later')
    expect(settled(unclear)).toBe('later')
    expect(settled(unclear, { mayWait: false })).toBe('quarantined authentication_unknown')
  })

  it('a mail server’s report needs no proof', () => {
    const report = { ...SERVER, authentication: unproven({ temporary: true }) }
    expect(settled(report, { bounceOf: BOUNCED })).toBe('bounce')
  })

  it('a person’s mail that quotes a report is a reply', () => {
    expect(settled({ bounce: BOUNCE }, { ...ON_TICKET, bounceOf: BOUNCED })).toBe('reply')
  })

  it('and waits, or is seen in quarantine, where nobody can tell yet, or at all, that it is theirs', () => {
    const quoted = (what: Partial<ReadMail['authentication']>, facts: Partial<Facts> = {}) =>
      settled(
        { bounce: BOUNCE, authentication: unproven(what) },
        { ...ON_TICKET, bounceOf: BOUNCED, ...facts },
      )
    expect(quoted({ temporary: true })).toBe('later')
    expect(quoted({ temporary: true }, { mayWait: false })).toBe('quarantined authentication_unknown')
    expect(quoted({})).toBe('quarantined not_authenticated')
    expect(quoted({}, { bounceOf: null })).toBe('quarantined not_authenticated')
    // Who may not speak there is nobody to wait for.
    expect(quoted({ temporary: true }, { tickets: [aTicket({ speaker: null })] })).toBe('bounce')
  })

  it('a machine’s report under the address of somebody who may speak is one, once DNS has told', () => {
    const report = { bounce: BOUNCE, automatic: marks({ emptyReturnPath: true }) }
    const facts = { ...ON_TICKET, bounceOf: BOUNCED }
    expect(settled({ ...report, authentication: unproven() }, facts)).toBe('bounce')
    expect(settled({ ...report, authentication: unproven({ temporary: true }) }, facts)).toBe('later')
    expect(settled(report, facts)).toBe('automatic')
  })
})

describe('where it points', () => {
  const two = { tickets: [aTicket(), aTicket({ ticketId: 'another' })] }
  it('two tickets are no answer to either, and may be a new one', () => {
    expect(settled({}, two)).toBe('new_ticket')
    expect(settled({}, { ...two, acceptsNew: false })).toBe('quarantined two_tickets')
    expect(settled({ automatic: VACATION }, two)).toBe('quarantined automatic')
  })
  it('a signed address that does not hold opens no ticket', () => {
    expect(settled({}, { hasBadAddress: true })).toBe('quarantined bad_address')
  })
  it('beside a way that holds it does not count', () => {
    expect(settled({}, { ...ON_TICKET, hasBadAddress: true })).toBe('reply')
  })
})

describe('loops', () => {
  it('end at twenty mails of one sender on one ticket within an hour, automatic or not', () => {
    const lately = (count: number) => ({ tickets: [aTicket({ lately: count })] })
    expect(settled({}, lately(19))).toBe('reply')
    expect(settled({}, lately(20))).toBe('quarantined loop')
    expect(settled({ automatic: VACATION }, lately(20))).toBe('quarantined loop')
  })
  it('do not begin with a mail of our own that came back', () => {
    expect(settled({}, { isOwn: true })).toBe('quarantined own_mail')
    expect(settled({}, { ...ON_TICKET, isOwn: true })).toBe('quarantined own_mail')
    expect(settled({}, { isFromBrand: true })).toBe('quarantined own_mail')
  })

  test.each([
    ['Auto-Submitted: auto-replied', { autoSubmitted: 'auto-replied' }, true],
    ['Auto-Submitted: auto-generated', { autoSubmitted: 'auto-generated' }, true],
    ['Auto-Submitted: no', { autoSubmitted: 'no' }, false],
    ['an empty return path', { emptyReturnPath: true }, true],
    ['Precedence: bulk', { precedence: 'bulk' }, true],
    ['Precedence: junk', { precedence: 'junk' }, true],
    ['Precedence: auto_reply', { precedence: 'auto_reply' }, true],
    ['Precedence: list', { precedence: 'list' }, false],
    ['X-Autoreply', { autoreply: true }, true],
    ['List-Id', { listId: true }, false],
    ['X-Auto-Response-Suppress', { suppress: true }, false],
  ] as [string, Partial<ReadMail['automatic']>, boolean][])('%s', (_, mark, expected) => {
    expect(isAutomatic(marks(mark))).toBe(expected)
  })

  test.each([
    ['a person’s', {}, true],
    ['a mailing list’s', { listId: true }, false],
    ['Precedence: list', { precedence: 'list' }, false],
    ['X-Auto-Response-Suppress', { suppress: true }, false],
  ] as [string, Partial<ReadMail['automatic']>, boolean][])(
    'a new ticket by %s mail may be acknowledged or not',
    (_, mark, mayAnswer) => {
      expect(settle(aReadMail({ automatic: marks(mark) }), theFacts())).toMatchObject({
        as: 'new_ticket',
        mayAnswer,
      })
    },
  )
})

describe('an agent’s answer', () => {
  const onDesk = { tickets: [aTicket({ speaker: { author: 'agent', name: 'Grace' } })] }
  const heldFor = (mail: Partial<ReadMail>, facts = onDesk) => {
    const decision = settle(aReadMail(mail), theFacts(facts))
    return 'heldFor' in decision ? decision.heldFor : 'not said'
  }
  it('goes on where its text can be told', () => {
    expect(heldFor({})).toBeNull()
  })
  it('is held where it cannot', () => {
    expect(heldFor({ newestText: ' \n' })).toBe('empty_text')
    expect(heldFor({ uncertain: true })).toBe('uncertain_text')
  })
  test.each([
    ['Outlook wrote', { declaredType: 'application/ms-tnef' }, 'uncertain_text'],
    ['Outlook wrote, by its new type', { declaredType: 'application/vnd.ms-tnef' }, 'uncertain_text'],
    ['is Outlook’s by its bytes', { bytes: Buffer.from('789f3e220100', 'hex') }, 'uncertain_text'],
    ['Exchange named', { filename: 'ATT00001.htm', declaredType: 'text/html' }, 'uncertain_text'],
    ['Exchange named, of text', { filename: 'att00002.txt' }, 'uncertain_text'],
    ['goes with no answer', { filename: 'ATT00001.htm', isBody: true }, null],
    ['somebody attached', { filename: 'notes.txt', declaredType: 'text/plain' }, null],
    ['is a picture', { filename: 'ATT00001.png', declaredType: 'image/png' }, null],
  ])('with a file that %s', (_what, file, expected) => {
    const other = { filename: 'a.bin', declaredType: null, bytes: Buffer.from('bytes'), isBody: false }
    const attachments = [{ ...other, ...file }]
    expect(heldFor({ attachments })).toBe(expected)
    expect(heldFor({ attachments }, ON_TICKET)).toBeNull()
  })
  it('a customer’s never is', () => {
    expect(heldFor({ newestText: '', uncertain: true }, ON_TICKET)).toBeNull()
  })
})

it('only a report of the very address silences it', () => {
  const silences = (bounce: ReadMail['bounce'], isOfRecipient: boolean) => {
    const decision = settle(
      aReadMail({ ...SERVER, bounce }),
      theFacts({ bounceOf: { deliveryId: 'd', isOfRecipient } }),
    )
    return 'silences' in decision ? `${decision.code} ${decision.silences}` : decision.as
  }
  expect(silences(BOUNCE, true)).toBe('hard_5.1.1 true')
  expect(silences(BOUNCE, false)).toBe('hard_5.1.1 false')
  expect(silences({ ...BOUNCE, kind: 'soft', status: null }, true)).toBe('soft false')
})

test('every mail is settled as exactly one thing, and nobody unproven speaks on a ticket', () => {
  const boolean = fc.boolean()
  const ticket = fc.record({
    ticketId: fc.uuid(),
    isClosed: boolean,
    isFull: boolean,
    speaker: fc.constantFrom(null, { author: 'customer', name: null }, { author: 'agent', name: 'Grace' }),
    lately: fc.nat(40),
  })
  const facts = fc.record({
    isTaken: boolean,
    isOwn: boolean,
    isTooLong: boolean,
    mayWait: boolean,
    bounceOf: fc.constantFrom(null, BOUNCED),
    tickets: fc.array(ticket, { maxLength: 3 }),
    hasBadAddress: boolean,
    isToBrand: boolean,
    isFromBrand: boolean,
    acceptsNew: boolean,
  }) as fc.Arbitrary<Facts>
  const mail = fc
    .record({
      automatic: fc.record({
        autoSubmitted: fc.constantFrom(null, 'no', 'auto-replied'),
        precedence: fc.constantFrom(null, 'bulk', 'list'),
        autoreply: boolean,
        listId: boolean,
        suppress: boolean,
        emptyReturnPath: boolean,
      }),
      author: fc.constantFrom(
        { from: { address: 'ada@example.com', name: null }, fromFault: null },
        { from: null, fromFault: 'many_fields' as const },
      ),
      bounce: fc.constantFrom(null, BOUNCE),
      authentication: fc.record({ passed: boolean, temporary: boolean }).map(proven),
      newestText: fc.constantFrom('', 'Yes.'),
      uncertain: boolean,
    })
    .map(({ author, ...rest }) => aReadMail({ ...rest, ...author }))
  const rows = ['quarantined', 'duplicate', 'bounce', 'automatic', 'reply', 'new_ticket', 'later']
  fc.assert(
    fc.property(mail, facts, (read, known) => {
      const decision = settle(read, known)
      expect(rows).toContain(decision.as)
      if (decision.as === 'quarantined') expect(decision.reason).toMatch(/^[a-z_]{1,100}$/)
      if ('speaker' in decision) {
        expect(read.authentication.passed && read.from !== null).toBe(true)
        expect(known.tickets.map(({ ticketId }) => ticketId)).toEqual([decision.ticketId])
        expect(known.tickets[0]).toMatchObject({ isClosed: false, isFull: false })
      }
      if (decision.as === 'later') expect(read.authentication.temporary && known.mayWait).toBe(true)
      if (decision.as === 'new_ticket') expect(known.acceptsNew && known.isToBrand).toBe(true)
      expect(settle(read, known)).toEqual(decision)
    }),
    { numRuns: 2000 },
  )
})
