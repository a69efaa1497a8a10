import { type Bounce, bounceKind, messageIdIn, readReply } from './bounce.ts'
import type { HeadFacts } from './head-facts.ts'
import { type Field, valuesOf } from './raw-head.ts'

/**
 * Bounces that are no DSN: qmail's own form (QSBMF), Exim's, and the sentences by which Exchange, Gmail, Yahoo, AOL,
 * Postfix and Sendmail begin theirs. A mail counts as one only where a mail server sent it, since a customer may
 * well quote such a sentence.
 */
const OPENINGS: RegExp[] = [
  // qmail
  /^hi\. this is the .{0,40}(?:qmail|deliver|program) .{0,200}/im,
  // Exim
  /a message that you (?:have )?sent (?:could not be|has not (?:yet )?been|was not) delivered/i,
  // Postfix
  /this is the (?:mail system|postfix program) at host/i,
  // Sendmail
  /----- the following addresses had (?:permanent fatal|transient non-fatal|delivery) (?:errors|problems) -----/i,
  // Exchange and Microsoft 365
  /delivery has failed to these recipients or groups/i,
  /your message (?:to .{1,200} )?(?:couldn['’]t|could not) be delivered/i,
  /your message did not reach some or all of the intended recipients/i,
  /ihre nachricht (?:an .{1,200} )?konnte nicht zugestellt werden|fehler bei der (?:nachrichten)?zustellung/i,
  // Gmail
  /your message wasn['’]t delivered to/i,
  /delivery to the following recipients? (?:has )?failed/i,
  // Yahoo, AOL
  /sorry,? we were unable to deliver your message/i,
  /your mail to the following recipients could not be delivered/i,
  // Others
  /(?:unable to deliver|undeliverable|could not deliver) (?:your )?(?:message|mail)/i,
  /(?:the )?mailbox (?:of the recipient )?is full|recipient['’]s mailbox is full/i,
]
/** Of a mail that is still on its way. */
const DELAYED =
  /has not yet been delivered|delivery (?:has been|is) delayed|will (?:keep|continue) trying|transient non-fatal/i
const DAEMON =
  /(?:^|[<\s"])(?:mailer-daemon|mail-daemon|mdaemon|postmaster|microsoftexchange[^@]*)@|^"?mail delivery (?:sub)?system/i

/** The opening stands at the very beginning, the copy of the mail further down. */
const OPENING_LENGTH = 2000
const READ_LENGTH = 64 * 1024
const COPY =
  /^.{0,20}(?:below this line is a copy of the message|this is a copy of (?:the|your) message|original message (?:headers )?follows?|original message headers|----- original message -----|--- original message|ursprüngliche nachrichten?kopfzeilen).*$/im

/** No person has an empty return path, or the address of a mail server's daemon. */
export function isOfDaemon(fields: readonly Field[], { returnPath }: HeadFacts): boolean {
  return returnPath === '' || valuesOf(fields, 'from').some((value) => DAEMON.test(value.slice(0, 500)))
}

export function readBounceForm(
  fields: readonly Field[],
  facts: HeadFacts,
  text: string,
): Omit<Bounce, 'isOfServer'> | null {
  const failedRecipient = valuesOf(fields, 'x-failed-recipients')[0]
  const maySay = failedRecipient !== undefined || isOfDaemon(fields, facts)
  const opening = text.slice(0, OPENING_LENGTH)
  if (!maySay || !OPENINGS.some((form) => form.test(opening))) return null
  const read = text.slice(0, READ_LENGTH)
  const copyAt = COPY.exec(read)?.index ?? read.length
  const report = read.slice(0, copyAt)
  const status = /(?<![\d.])[45]\.[1-9]\d{0,2}\.\d{1,3}(?![\d.])/.exec(report)?.[0] ?? statusOfCode(report)
  return {
    kind: DELAYED.test(report) ? 'delayed' : bounceKind(status, report),
    recipient: failedAddress(failedRecipient, []) ?? failedAddress(report, facts.recipients),
    status,
    originalMessageId: messageIdIn(/^[>\s]*message-id:(.{0,1000})/im.exec(read.slice(copyAt))?.[1] ?? ''),
  }
}

/** Of an answer of SMTP without an enhanced code, as `550 unknown user`, or with one that says no more. */
function statusOfCode(report: string): string | null {
  const reply = readReply(report)?.reply
  if (reply === undefined) return null
  return reply % 100 === 52 ? `${Math.floor(reply / 100)}.2.2` : `${Math.floor(reply / 100)}.0.0`
}

/** The first address that is neither the mail server's nor one that the bounce itself went to. */
function failedAddress(text: string | undefined, own: readonly string[]): string | null {
  const ours = new Set(own.map(withoutTag))
  for (const [found] of (text ?? '').matchAll(
    /[^\s\p{Cc}<>()[\]:;,"'*]{1,64}@[^\s\p{Cc}<>()[\]:;,"'*]{1,255}/gu,
  )) {
    const address = found.replace(/\.$/, '')
    if (!DAEMON.test(address) && !ours.has(withoutTag(address))) return address
  }
  return null
}

function withoutTag(address: string): string {
  return address.toLowerCase().replace(/\+[^@]*@/, '@')
}
