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

/** No such mailbox or domain, a wrong form, moved away; disabled; no route. Not 1.7 and 1.8, which are of the sender. */
const OF_ADDRESS = /^(?:1\.(?:[0-4]|6|10)|2\.1|4\.4)$/
const OF_MAILBOX = [550, 551, 553]
const FULL = /mailbox (?:is )?full|quota|over ?limit|insufficient storage/i
const UNKNOWN =
  /(?:user|mailbox|recipient|address|account)\b.{0,40}(?:unknown|not found|(?:does not|doesn['’]t) exist|disabled)|no such (?:user|mailbox|recipient)|(?:unknown|invalid) (?:user|recipient|mailbox)/i
const OF_US =
  /relay|spam|block|black|listed|policy|prohibit|denied|reputation|authenticat|\b(?:spf|dkim|dmarc)\b|allowed|permitted/i
