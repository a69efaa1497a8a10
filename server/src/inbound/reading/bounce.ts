import { readBounceForm } from './bounce-forms.ts'
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
}

/** What is read of a report's parts: the reports themselves are short. */
const REPORT_BYTES = 64 * 1024

/**
 * A delivery status notification by RFC 3464, or one of the forms that are older than it or beside it.
 * @param text the whole text of the mail
 * @returns null where the mail is none, and where it only says that a mail did arrive
 */
export function readBounce(
  fields: readonly Field[],
  facts: HeadFacts,
  files: readonly MailFile[],
  text: string,
): Bounce | null {
  const report = files.find(({ declaredType }) =>
    /^message\/(?:global-)?delivery-status$/.test(declaredType ?? ''),
  )
  const originalMessageId = originalIdIn(files)
  if (report !== undefined) return readReport(report.bytes, originalMessageId)
  const form = readBounceForm(fields, facts, text)
  return form === null ? null : { ...form, originalMessageId: originalMessageId ?? form.originalMessageId }
}

/** RFC 3464, section 2: a group of fields of the mail, then one of each recipient. */
function readReport(bytes: Buffer, originalMessageId: string | null): Bounce | null {
  const groups = readGroups(bytes)
  const recipients = groups.filter((fields) =>
    fields.some(({ name }) => name === 'action' || name === 'status'),
  )
  const failed = recipients.find(hasFailed)
  const delayed = recipients.find((fields) => action(fields) === 'delayed')
  const fields = failed ?? delayed
  if (fields === undefined) return null
  const status = /\b[245]\.\d{1,3}\.\d{1,3}\b/.exec(valuesOf(fields, 'status')[0] ?? '')?.[0] ?? null
  const diagnostic = valuesOf(fields, 'diagnostic-code')[0] ?? ''
  const recipient =
    addressIn(valuesOf(fields, 'original-recipient')[0]) ?? addressIn(valuesOf(fields, 'final-recipient')[0])
  const kind = failed === undefined ? 'delayed' : bounceKind(status, diagnostic)
  return { kind, recipient, status, originalMessageId }
}

/**
 * What a status means for the address (RFC 3463): only one that says that the mailbox or its domain takes no mail is
 * hard. A full mailbox, a refused content or a time that ran out may be another thing tomorrow.
 */
export function bounceKind(status: string | null, words: string): 'hard' | 'soft' {
  if (/mailbox (?:is )?full|quota|over ?limit|insufficient storage/i.test(words)) return 'soft'
  if (status === null) return 'hard'
  if (!status.startsWith('5')) return 'soft'
  // It is the sender's address that was not taken, or the way on from there.
  if (/^5\.1\.[789]$/.test(status)) return 'soft'
  if (/^5\.(?:1\.|2\.1$|4\.4$|0\.0$)/.test(status)) return 'hard'
  if (/^5\.[2-7]\./.test(status))
    return /(?:user|mailbox|recipient|address)\W.{0,40}(?:unknown|not found|unavailable|does(?:n't| not) exist|disabled)|no such (?:user|mailbox)/i.test(
      words,
    )
      ? 'hard'
      : 'soft'
  return 'hard'
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
