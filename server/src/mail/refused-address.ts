/**
 * Whether a mail server that refused a recipient for good said so of the address: that there is no such mailbox, and
 * mail will never arrive there. A full mailbox, and what the server holds against us or against the mail, may be
 * another thing tomorrow; in doubt it is that.
 * @param reply the code that RCPT was answered with, 500 to 599 (RFC 5321, section 4.2)
 * @param answer the whole answer, with an enhanced code (RFC 3463) behind the reply code where there is one
 */
export function isAddressRefused(reply: number, answer: string): boolean {
  if (FULL.test(answer)) return false
  const status = /^5\d\d[ -]5\.(\d{1,3}\.\d{1,3})(?=\s|$)/.exec(answer)?.[1]
  if (status !== undefined && OF_ADDRESS.test(status)) return true
  if (/\bsender\b/i.test(answer)) return false
  if (UNKNOWN.test(answer)) return true
  if (status !== undefined && status !== '0.0') return false
  return OF_MAILBOX.includes(reply) && !OF_US.test(answer)
}

/**
 * The same of a refusal that a report tells of, whose enhanced code does not say it. It may have been of the mail's
 * content, so a reply code counts only where the words are of the mailbox and of nothing else.
 * @param reply the code that the recipient or the content was answered with, 500 to 599; null where it is not known, or
 *   an enhanced code behind it says something else
 * @param words what the server answered, else what the report says
 */
export function isReportedOfAddress(reply: number | null, words: string): boolean {
  const paragraphs = withoutAddresses(words).split(/\n[ \t]*\n/)
  return paragraphs.some((paragraph) => isSaidOfAddress(reply, paragraph.replace(/\s+/g, ' ')))
}

function isSaidOfAddress(reply: number | null, said: string): boolean {
  if (FULL.test(said) || /\bsender\b/i.test(said)) return false
  if (UNKNOWN.test(said)) return true
  if (OF_US.test(said) || OF_MAIL.test(said)) return false
  return UNAVAILABLE.test(said) || (reply !== null && OF_MAILBOX.includes(reply) && OF_ADDRESSEE.test(said))
}

/** An address says nothing by how it is spelt: <bob@relay.example> is of no relay. */
export function withoutAddresses(answer: string): string {
  return answer.replace(/<[^<>]*>/g, '<>').replace(/[^\s<>@]{1,64}@[^\s<>@]+/g, '')
}

/** It is the sender's address that was not taken, whatever the code behind it. */
export const OF_SENDER = /\bsender (?:address rejected|verify failed)/i

/** No such mailbox or domain, a wrong form, moved away; disabled; no route. Not 1.7 and 1.8, which are of the sender. */
const OF_ADDRESS = /^(?:1\.(?:[0-4]|6|10)|2\.1|4\.4)$/
const OF_MAILBOX = [550, 551, 553]
/** Another mail may find room. */
export const FULL = /mailbox (?:is )?full|quota|over ?limit|insufficient storage/i
/** An IP address is of us. Of Yahoo and of Domino are the last words of the first kind. */
const UNKNOWN =
  /(?:user|mailbox|recipient|(?<!\bip )address|account)\b.{0,40}(?:unknown|not found|(?:does not|doesn['’]t) (?:exist|have an? \S{1,60} account)|disabled|not listed in)|no such (?:user|mailbox|recipient)|(?:unknown|invalid) (?:user|recipient|mailbox)|\bunroute?able (?:mail )?(?:address|domain)/i
const UNAVAILABLE = /\b(?:user|mailbox|recipient) (?:is )?unavailable/i
const OF_ADDRESSEE = /\b(?:user|mail ?box|recipient|address|account)\b/i
const OF_US =
  /relay|spam|block|black|listed|policy|prohibit|denied|reputation|authenticat|\b(?:spf|dkim|dmarc)\b|allowed|permitted/i
/** Of what is in the mail, how much there is of it, or the host that it came from. */
const OF_MAIL =
  /content|virus|malware|phish|junk|attachment|\bmessage (?:was |is )?(?:rejected|refused|too)|\bsize\b|too (?:large|big|many)|header|infected|filter|unsolicited|suspicious|suspend|\brate\b|limit|score|\bip\b|\bptr\b|\bhost|\bhelo\b|\byour?\b/i
