import { mayBeBody } from './reading/body-forms.ts'
import { type Automatic, BULK } from './reading/head-facts.ts'
import type { ReadMail, UnreadableReason } from './reading/read-mail.ts'
import type { Speaker } from './speakers.ts'

/** Mails of one sender on one ticket within an hour; what comes beyond is a loop. */
export const MAILS_PER_HOUR = 20

/** `failed`: a process died of it, or something else went wrong, again and again. */
export type UnreadMail = { unreadable: UnreadableReason | 'failed' }

/** A ticket that a mail points to. */
export type TicketFacts = {
  ticketId: string
  isClosed: boolean
  /** It holds as much as may be read at once. */
  isFull: boolean
  /** Whom its sender speaks as there, if the mail is theirs; null: they may not speak there. */
  speaker: Speaker | null
  /** Mails of this sender that became messages there within the last hour. */
  lately: number
}

/** A delivery of ours that did not arrive. */
export type BounceFacts = {
  deliveryId: string
  /** Whether the address that took no mail is the one that the delivery went to, not long ago. */
  isOfRecipient: boolean
}

/** What is known beside the mail itself, all of it within its brand. */
export type Facts = {
  /** A mail with its fingerprint was taken before. */
  isTaken: boolean
  /** It is a mail of ours that came back as it is. */
  isOwn: boolean
  /** Its text is over what anybody may send. */
  isTooLong: boolean
  /** Whether a fault of DNS may still mend itself. */
  mayWait: boolean
  bounceOf: BounceFacts | null
  /** Each once. */
  tickets: TicketFacts[]
  /** It was sent to an address in the form of a signed one, whose signature does not hold. */
  hasBadAddress: boolean
  isToBrand: boolean
  /** It is from the brand's own address. */
  isFromBrand: boolean
  acceptsNew: boolean
}

export type Settlement =
  | { as: 'quarantined'; reason: string }
  | { as: 'duplicate' }
  | { as: 'bounce'; deliveryId: string; code: string; came: 'back' | 'late'; silences: boolean }
  | { as: 'automatic' | 'reply'; ticketId: string; speaker: Speaker; heldFor: string | null }
  | { as: 'new_ticket'; isProven: boolean; mayAnswer: boolean }

/** `later`: DNS could not tell whose mail it is. */
export type Decision = Settlement | { as: 'later' }

/**
 * Decides what a mail is settled as: exactly one thing, by the first of these rows that fits.
 *
 * | row | when |
 * | --- | --- |
 * | quarantined | it cannot be read |
 * | duplicate | the same Message-ID (or head), author and body as one that was taken; a quarantined one was not |
 * | bounce | it says that a delivery of ours did not arrive |
 * | automatic | a machine wrote it, on a ticket where its sender may speak |
 * | reply | it points to one ticket, by a signed address or a Message-ID |
 * | new_ticket | to the brand's address, where that opens tickets |
 * | quarantined | everything else, with its reason |
 *
 * Who speaks must be told apart before anything is said for them, so a mail without exactly one author, and one
 * whose author DNS could not prove for now, goes no further than the third row.
 */
export function settle(mail: ReadMail | UnreadMail, facts: Facts): Decision {
  if ('unreadable' in mail) return settleUnread(mail)
  if (facts.isTaken) return { as: 'duplicate' }
  const bounce = settleBounce(mail, facts)
  if (bounce !== null) return bounce
  if (mail.from === null) return quarantined(`from_${mail.fromFault ?? 'unreadable'}`)
  const { passed, temporary } = mail.authentication
  if (temporary && !passed) return facts.mayWait ? { as: 'later' } : quarantined('authentication_unknown')
  if (isAutomatic(mail.automatic)) return settleAutomatic(mail, facts)
  if (facts.tickets.length === 1) return settleOn(facts.tickets[0], 'reply', mail, facts)
  return settleNew(mail, facts)
}

/** The first row: nothing else need be known. */
export function settleUnread({ unreadable }: UnreadMail): Settlement {
  return quarantined(`unreadable_${unreadable}`)
}

/**
 * Whether a machine wrote a mail (RFC 3834, section 5, and what is older than it). A mailing list's mail is a
 * person's.
 */
export function isAutomatic(marks: Automatic): boolean {
  const { autoSubmitted, precedence, autoreply, emptyReturnPath } = marks
  if (emptyReturnPath || autoreply) return true
  if (autoSubmitted !== null && autoSubmitted !== 'no') return true
  return precedence !== null && BULK.has(precedence)
}

/** Whether a mail may be answered by a machine of ours. */
function mayAnswer({ automatic }: ReadMail): boolean {
  return (
    !isAutomatic(automatic) && !automatic.listId && !automatic.suppress && automatic.precedence !== 'list'
  )
}

function settleBounce(mail: ReadMail, facts: Facts): Settlement | null {
  if (mail.bounce === null || isOfSpeaker(mail, facts)) return null
  if (facts.bounceOf === null) return quarantined('bounce_unknown')
  const { kind, status } = mail.bounce
  return {
    as: 'bounce',
    deliveryId: facts.bounceOf.deliveryId,
    code: status === null ? kind : `${kind}_${status}`,
    came: kind === 'delayed' ? 'late' : 'back',
    silences: kind === 'hard' && facts.bounceOf.isOfRecipient,
  }
}

/**
 * A mail of somebody who may speak is theirs, whatever it quotes: mail servers do not write under their address. Where
 * nothing proves that it is theirs, it is so for the rows below, which say nothing for them; unless DNS has told, and a
 * machine wrote it.
 */
function isOfSpeaker(mail: ReadMail, { tickets }: Facts): boolean {
  if (mail.from === null || !tickets.some(({ speaker }) => speaker !== null)) return false
  const { passed, temporary } = mail.authentication
  return passed || temporary || !isAutomatic(mail.automatic)
}

function settleAutomatic(mail: ReadMail, facts: Facts): Settlement {
  if (facts.tickets.length !== 1) return quarantined('automatic')
  return settleOn(facts.tickets[0], 'automatic', mail, facts)
}

/** Something that is said on a ticket, or the first reason why it is not. */
function settleOn(
  ticket: TicketFacts | undefined,
  as: 'automatic' | 'reply',
  mail: ReadMail,
  facts: Facts,
): Settlement {
  if (facts.isOwn) return quarantined('own_mail')
  if (!mail.authentication.passed) return quarantined('not_authenticated')
  if (ticket === undefined || ticket.speaker === null) return quarantined('stranger')
  if (ticket.isClosed) return quarantined('ticket_closed')
  if (ticket.isFull) return quarantined('ticket_full')
  if (ticket.lately >= MAILS_PER_HOUR) return quarantined('loop')
  if (facts.isTooLong) return quarantined('text_too_large')
  const { ticketId, speaker } = ticket
  return { as, ticketId, speaker, heldFor: speaker.author === 'agent' ? heldFor(mail) : null }
}

/** What cannot be told from what it quotes is not sent on to a customer, in a file as little as in the text. */
export function heldFor({ newestText, uncertain, attachments }: ReadMail): string | null {
  if (newestText.trim() === '') return 'empty_text'
  return uncertain || attachments.some((file) => !file.isBody && mayBeBody(file)) ? 'uncertain_text' : null
}

function settleNew(mail: ReadMail, facts: Facts): Settlement {
  // Whoever signs for somebody else's ticket, or kept an address whose key is gone, meant no new one.
  if (facts.hasBadAddress) return quarantined('bad_address')
  if (!facts.isToBrand || !facts.acceptsNew) return quarantined(reasonOfRest(facts))
  if (facts.isOwn || facts.isFromBrand) return quarantined('own_mail')
  if (facts.isTooLong) return quarantined('text_too_large')
  return { as: 'new_ticket', isProven: mail.authentication.passed, mayAnswer: mayAnswer(mail) }
}

function reasonOfRest({ tickets, isToBrand }: Facts): string {
  if (tickets.length > 1) return 'two_tickets'
  return isToBrand ? 'no_ticket' : 'not_to_brand'
}

function quarantined(reason: string): Settlement {
  return { as: 'quarantined', reason }
}
