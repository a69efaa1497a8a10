import type { ReadMail } from '../../../src/inbound/reading/read-mail.ts'
import type { Facts, TicketFacts } from '../../../src/inbound/settle.ts'

/** A mail of Ada's, read and proven, that points nowhere. */
export function aReadMail(what: Partial<ReadMail> = {}): ReadMail {
  return {
    messageId: '<one@example.com>',
    headDigest: null,
    inReplyTo: [],
    references: [],
    recipients: ['support@acme.example'],
    returnPath: 'ada@example.com',
    date: new Date(0),
    automatic: marks(),
    from: { address: 'ada@example.com', name: 'Ada' },
    fromFault: null,
    subject: 'My order',
    newestText: 'It has not arrived.',
    wholeText: 'It has not arrived.',
    uncertain: false,
    html: null,
    attachments: [],
    bounce: null,
    authentication: proven(),
    bodyDigest: Buffer.alloc(32, 1),
    ...what,
  }
}

export function marks(what: Partial<ReadMail['automatic']> = {}): ReadMail['automatic'] {
  return {
    autoSubmitted: null,
    precedence: null,
    autoreply: false,
    listId: false,
    suppress: false,
    emptyReturnPath: false,
    ...what,
  }
}

export function proven(what: Partial<ReadMail['authentication']> = {}): ReadMail['authentication'] {
  return {
    passed: true,
    by: 'dmarc',
    domain: 'example.com',
    temporary: false,
    address: 'ada@example.com',
    ...what,
  }
}

export const unproven = (what: Partial<ReadMail['authentication']> = {}) =>
  proven({ passed: false, by: null, ...what })

/** Nothing is known beside a mail to the brand's address, which opens tickets. */
export function theFacts(what: Partial<Facts> = {}): Facts {
  return {
    isTaken: false,
    isOwn: false,
    isTooLong: false,
    mayWait: true,
    bounceOf: null,
    tickets: [],
    hasBadAddress: false,
    isToBrand: true,
    isFromBrand: false,
    acceptsNew: true,
    ...what,
  }
}

/** A ticket that the mail points to, and where its sender is the requester. */
export function aTicket(what: Partial<TicketFacts> = {}): TicketFacts {
  return {
    ticketId: '01890000-0000-7000-8000-000000000001',
    isClosed: false,
    isFull: false,
    speaker: { author: 'customer', name: null },
    lately: 0,
    ...what,
  }
}
