import { createHash } from 'node:crypto'
import { newestText } from '../../mail/newest-text.ts'
import { type Authentication, judge, type Resolve } from './authentication.ts'
import { type Bounce, readBounce } from './bounce.ts'
import { type NamedFile, nameFiles } from './file-names.ts'
import { type FromFault, readFrom } from './from-field.ts'
import { type HeadFacts, headFacts } from './head-facts.ts'
import { BoundPassed, type MailParts, parseParts } from './mail-parts.ts'
import { clean, mailText } from './mail-text.ts'
import { type Field, readHead, withoutMboxLine } from './raw-head.ts'

/** A mail larger than this is not read, in bytes. */
export const MAIL_BYTES = 25 * 1024 * 1024

export type UnreadableReason = 'too_large' | 'too_many_parts' | 'too_deep' | 'too_slow' | 'parser' | 'empty'
/** `again`: the machine may be why, and not the mail: it is worth another try. */
export type Unreadable = { unreadable: UnreadableReason; again?: true }

/** What a mail says, and what is known of who says it. All of it is text of strangers. */
export type ReadMail = HeadFacts & {
  /** Null unless there is exactly one From field with exactly one mailbox; its domain as an A-label. */
  from: { address: string; name: string | null } | null
  fromFault: FromFault | null
  subject: string
  /** What was written in answer, without the mail that it quotes. */
  newestText: string
  /** Everything that was written, quotes too. */
  wholeText: string
  /** `newestText` is empty, or may hold history, or miss words. */
  uncertain: boolean
  /** Made safe, and whole: it holds the quoted history, so it is not for another side's eyes. */
  html: string | null
  attachments: NamedFile[]
  bounce: Bounce | null
  authentication: Authentication
  /** SHA-256 of the raw body, 32 bytes. */
  bodyDigest: Buffer
}

export type ReadOptions = {
  /** Whose Authentication-Results count. */
  trustedAuthservIds: string[]
}

const SUBJECT_LENGTH = 2000
const NAME_LENGTH = 200

/**
 * Reads a mail. It is meant for a thread that can be ended (reading-pool.ts): a mail may be made to take long.
 * @param raw as it came
 */
export async function readMail(
  raw: Buffer,
  options: ReadOptions & { resolve: Resolve },
): Promise<ReadMail | Unreadable> {
  if (raw.length > MAIL_BYTES) return { unreadable: 'too_large' }
  const mail = withoutMboxLine(raw)
  const head = readHead(mail)
  if (head === null) return { unreadable: 'too_large' }
  if (head.fields.length === 0) return { unreadable: 'empty' }
  let parts: MailParts
  try {
    parts = await parseParts(mail)
  } catch (error) {
    return { unreadable: error instanceof BoundPassed ? error.reason : 'parser' }
  }
  const from = readFrom(head.fields)
  const { authentication, agrees } = await judge(mail, head.fields, from, options)
  const address = agrees ? authentication.address : null
  return {
    ...readWords(head.fields, parts, mail.subarray(head.bodyAt)),
    from: address === null ? null : { address, name: nameOf(parts) },
    fromFault: agrees ? from.fault : 'unreadable',
    authentication,
    bodyDigest: createHash('sha256').update(mail.subarray(head.bodyAt)).digest(),
  }
}

function readWords(fields: readonly Field[], parts: MailParts, body: Buffer) {
  const facts = headFacts(fields)
  const { text, isRough, html, files } = mailText(parts.tree, parts.files, body)
  const all = [...parts.files, ...files]
  const newest = newestText(text)
  return {
    ...facts,
    subject: oneLine(parts.subject ?? '')
      .slice(0, SUBJECT_LENGTH)
      .toWellFormed(),
    newestText: newest.text,
    wholeText: text,
    uncertain: newest.uncertain || isRough,
    html,
    attachments: nameFiles(all),
    bounce: readBounce(fields, facts, all, text),
  }
}

function nameOf({ fromName }: MailParts): string | null {
  const name = oneLine(fromName ?? '')
    .slice(0, NAME_LENGTH)
    .toWellFormed()
  return name === '' ? null : name
}

function oneLine(text: string): string {
  return clean(text).replace(/\s+/g, ' ').trim()
}
