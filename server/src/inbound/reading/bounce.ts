import { FULL, isReportedOfAddress, OF_SENDER } from '../../mail/refused-address.ts'
import { isOfDaemon, readBounceForm } from './bounce-forms.ts'
import type { HeadFacts } from './head-facts.ts'
import type { MailFile } from './mail-parts.ts'
import { type Field, readHead, valuesOf } from './raw-head.ts'

/** A mail server says that a mail did not arrive. */
export type Bounce = {
  /**
   * `hard`: the address takes no mail, and will not. `soft`: this mail was not taken, another may be. `delayed`: it is
   * still on its way.
   */
  kind: 'hard' | 'soft' | 'delayed'
  recipient: string | null
  /** RFC 3463, like `5.1.1`. */
  status: string | null
  /** Of the mail that did not arrive, with its brackets. */
  originalMessageId: string | null
  /** Its structure or its header says that a mail server wrote it: the mail that it answers is the one that it is of. */
  isOfServer: boolean
}

/** What is read of a report's parts: the reports themselves are short. */
const REPORT_BYTES = 64 * 1024

/**
 * A delivery status notification by RFC 3464, or one of the forms that are older than it or beside it. A person may
 * attach the notification that they got: it counts where the whole mail is one, or a mail server sent what a gateway
 * on the way put round it.
 * @param text the whole text of the mail
 * @returns null where the mail is none, and where it only says that a mail did arrive
 */
export function readBounce(
  fields: readonly Field[],
  facts: HeadFacts,
  files: readonly MailFile[],
  text: string,
): Bounce | null {
  const { autoSubmitted } = facts.automatic
  const isReport = isWholeReport(fields)
  const isOfServer =
    isReport || isOfDaemon(fields, facts) || (autoSubmitted !== null && autoSubmitted !== 'no')
  const report = files.find(({ declaredType }) =>
    /^message\/(?:global-)?delivery-status$/.test(declaredType ?? ''),
  )
  const originalMessageId = originalIdIn(files)
  if (report !== undefined && isOfServer) {
    const read = readReport(report.bytes, text)
    return read === null ? null : { ...read, originalMessageId, isOfServer }
  }
  const form = readBounceForm(fields, facts, text)
  return form === null
    ? null
    : { ...form, originalMessageId: originalMessageId ?? form.originalMessageId, isOfServer }
}

/** RFC 6522, section 3, for RFC 3464 and RFC 6533. Some leave out what it reports. */
function isWholeReport(fields: readonly Field[]): boolean {
  const type = (valuesOf(fields, 'content-type')[0] ?? '').slice(0, 2000)
  if (!/^multipart\/report(?![\w.+-])/i.test(type)) return false
  const reported = /;\s*report-type\s*=\s*"?([^\s";]*)/i.exec(type)?.[1]
  return reported === undefined || /^(?:global-)?delivery-status$/i.test(reported)
}

/** RFC 3464, section 2: a group of fields of the mail, then one of each recipient. */
function readReport(bytes: Buffer, text: string): Pick<Bounce, 'kind' | 'recipient' | 'status'> | null {
  const groups = readGroups(bytes)
  const recipients = groups.filter((fields) =>
    fields.some(({ name }) => name === 'action' || name === 'status'),
  )
  const failed = recipients.find(hasFailed)
  const delayed = recipients.find((fields) => action(fields) === 'delayed')
  const fields = failed ?? delayed
  if (fields === undefined) return null
  const declared = /\b[245]\.\d{1,3}\.\d{1,3}\b/.exec(valuesOf(fields, 'status')[0] ?? '')?.[0] ?? null
  // The type of the answer stands before it (RFC 3464, section 2.3.6).
  const diagnostic = (valuesOf(fields, 'diagnostic-code')[0] ?? '').replace(/^[\w.-]+\s*;\s*/, '')
  // Exim has no answer to tell of where it knew by itself. Of several addresses, the text may be of another.
  const isOpen = declared === null || isGeneral(declared)
  const isInText = isOpen && diagnostic === '' && recipients.length === 1
  const words = (isInText ? text : diagnostic).slice(0, REPORT_BYTES)
  const status = (isOpen ? codeBehindReply(words) : null) ?? declared
  const recipient =
    addressIn(valuesOf(fields, 'original-recipient')[0]) ?? addressIn(valuesOf(fields, 'final-recipient')[0])
  const kind = failed === undefined ? 'delayed' : bounceKind(status, words)
  return { kind, recipient, status }
}

/**
 * What a status means for the address (RFC 3463): only one that says that the mailbox or its domain takes no mail is
 * hard. A full mailbox, a refused content or a time that ran out may be another thing tomorrow. Where the status says
 * nothing, the words must; in doubt it is soft.
 * @param words the answer of the mail server, else the report's text
 */
export function bounceKind(status: string | null, words: string): 'hard' | 'soft' {
  if (FULL.test(words)) return 'soft'
  if (status !== null && !status.startsWith('5')) return 'soft'
  if (status === null || isGeneral(status)) {
    const refusal = readReply(words)
    if (refusal === null) return isReportedOfAddress(null, words) ? 'hard' : 'soft'
    return refusal.reply >= 500 && isReportedOfAddress(refusal.reply, refusal.answer) ? 'hard' : 'soft'
  }
  // It is the sender's address that was not taken, or the way on from there.
  if (/^5\.1\.[789]$/.test(status) || OF_SENDER.test(words)) return 'soft'
  if (/^5\.(?:1\.|2\.1$|4\.4$)/.test(status)) return 'hard'
  return isReportedOfAddress(null, words) ? 'hard' : 'soft'
}

/**
 * Whether a status says no more than that it is for good, or not (RFC 3463, section 3.1). A mail server writes such a
 * one where the next gave none; with what is registered nowhere it is the same.
 */
function isGeneral(status: string): boolean {
  return !/^\d\.[1-7]\./.test(status)
}

/** The enhanced code of an answer, behind its reply code, in brackets as of qmail, or at the very beginning. */
function codeBehindReply(words: string): string | null {
  return /(?:^|\b[45][0-5]\d[ -]['"]?|[#(])([45]\.[1-7]\.\d{1,3})(?![\d.])/.exec(words)?.[1] ?? null
}

/**
 * An answer of SMTP among other words, from its reply code on; it ends with the paragraph. What is no code of RFC 5321,
 * section 4.2.1, may be a port.
 */
export function readReply(words: string): { reply: number; answer: string } | null {
  const code = /(?<=^|[\s'":;(])[45][0-5]\d(?=[\s:-]|$)/m.exec(words)
  if (code === null) return null
  const answer = words.slice(code.index).split(/\n[ \t]*\n/, 1)[0] ?? ''
  return { reply: Number(code[0]), answer }
}

function readGroups(bytes: Buffer): Field[][] {
  const groups: Field[][] = []
  let rest = bytes.subarray(0, REPORT_BYTES)
  while (rest.length > 0 && groups.length < 100) {
    const head = readHead(rest)
    if (head === null || head.bodyAt === 0) break
    groups.push(head.fields)
    rest = rest.subarray(head.bodyAt)
  }
  return groups
}

/** Some leave out the action. */
function hasFailed(fields: readonly Field[]): boolean {
  const said = action(fields)
  return said === 'failed' || (said === '' && /^\s*5\./.test(valuesOf(fields, 'status')[0] ?? ''))
}

function action(fields: readonly Field[]): string {
  return (valuesOf(fields, 'action')[0] ?? '').toLowerCase().split(/[\s(]/)[0] ?? ''
}

/** `rfc822; ada@example.com`, with brackets or without. */
function addressIn(value: string | undefined): string | null {
  return /[^\s\p{Cc}<>;"]{1,64}@[^\s\p{Cc}<>;"]{1,255}/u.exec(value ?? '')?.[0] ?? null
}

function originalIdIn(files: readonly MailFile[]): string | null {
  const types = [
    'message/rfc822',
    'text/rfc822-headers',
    'message/global',
    'message/global-headers',
    'message/rfc822-headers',
  ]
  const original = files.find(({ declaredType }) => types.includes(declaredType ?? ''))
  if (original === undefined) return null
  const head = readHead(original.bytes.subarray(0, REPORT_BYTES))
  return messageIdIn(valuesOf(head?.fields ?? [], 'message-id')[0] ?? '')
}

export function messageIdIn(text: string): string | null {
  return /<[^<>\s\p{Cc}]{1,996}>/u.exec(text)?.[0] ?? null
}
