import { isAddressRefused, OF_SENDER, withoutAddresses } from '../mail/refused-address.ts'

/** Whom the refusal of a recipient is about; in doubt it is the server itself, and none of these is true. */
export type Refusal = {
  /** The address takes no mail, and never will. */
  addressRefused: boolean
  /** This recipient's mailbox, for now: others may well get mail. */
  ofRecipient: boolean
  /** The server carries nothing elsewhere for us, or nothing from our host or our sender: the operator has to mend it. */
  ofOperator: boolean
}

/**
 * Reads what a mail server said when it refused a recipient: its enhanced code (RFC 3463), if any, and its words.
 * @param reply the code that RCPT was answered with, 400 to 599 (RFC 5321, section 4.2)
 * @param answer the whole answer
 */
export function readRefusal(reply: number, answer: string): Refusal {
  const words = withoutAddresses(answer)
  const addressRefused = reply >= 500 && !OF_SENDER.test(words) && isAddressRefused(reply, words)
  const greylisted = GREYLISTED.test(words)
  const ofOperator = !addressRefused && !greylisted && (OF_SENDER.test(words) || OF_HOST.test(words))
  // 421 says that the server goes (RFC 5321, section 3.8).
  const isForNow = reply < 500 && reply !== 421
  const ofRecipient = isForNow && !ofOperator && (greylisted || isOfMailbox(words))
  return { addressRefused, ofRecipient, ofOperator }
}

/** Some codes say it: 4.1 speaks of the recipient's address and 4.2 of its mailbox. 4.0, and none, leave it to the words. */
function isOfMailbox(words: string): boolean {
  if (/authenticat/i.test(words)) return false
  const [, subject, detail] = /^4\d\d[ -]4\.(\d{1,3})\.(\d{1,3})(?=\s|$)/.exec(words) ?? []
  // 4.1.7 and 4.1.8 are of the sender's address.
  if (subject === '1') return detail !== '7' && detail !== '8'
  if (subject === '2') return true
  return (subject === undefined || subject === '0') && MAILBOX.test(words)
}

const GREYLISTED = /gr[ea]y-? ?list/i
/** Not a quota of ours, as for what we send in a day. */
const MAILBOX = /\bmail ?box|\binbox\b|\bover[- ]?quota\b|\b(?:user|recipient)\b.{0,40}\bquota\b/i
/** The word relay, but not in the name of a host. */
const OF_HOST =
  /(?<![\w.-])relay(?:ing)?(?![\w-]|\.\w)|allowed rcpthosts|blocked using|black-? ?list|block-? ?list|client host (?:\S+ )?(?:rejected|blocked)/i
