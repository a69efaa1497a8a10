import type { BlobFolder } from '../blobs/blob-folder.ts'
import { brandOf, type ConversationDeps } from '../conversation/conversation.ts'
import { say } from '../conversation/say.ts'
import type { Database, Executor } from '../database/pool.ts'
import { newUuid } from '../ids.ts'
import { comparableAddress } from '../mail/address.ts'
import { senderOf } from './facts.ts'
import { filesOf, filesSaidBy, type MessageFile, storable, wordsOf } from './mail-message.ts'
import { type MailLine, readPeople, resolveMail } from './quarantine.store.ts'
import { readFrom } from './reading/from-field.ts'
import { readHead } from './reading/raw-head.ts'
import type { ReadMail, Unreadable } from './reading/read-mail.ts'
import type { ReadingPool } from './reading/reading-pool.ts'
import { heldFor } from './settle.ts'
import { customerOf, isNamedAgent, type Speaker } from './speakers.ts'

const STATEMENT_MS = 5000
/** Times that a mail is read where the machine may be why it was not read in time. */
const READINGS = 3

export type QuarantineDeps = {
  conversation: ConversationDeps
  database: Pick<Database, 'run'>
  blobs: Pick<BlobFolder, 'read' | 'put'>
  reading: Pick<ReadingPool, 'read'>
  /** Bytes of text in UTF-8 that anybody may send at once. */
  textBytes: number
}

/** A quarantined mail whose bytes are still there. */
export type LyingMail = Pick<MailLine, 'brandId' | 'mailId' | 'size' | 'headOnly'> & { sha256: string }

export type Released = {
  messageId: string
  author: Speaker['author']
  /** A stable code: it waits on its ticket; null: it was said. */
  heldFor: string | null
}

/**
 * Makes a quarantined mail a message on a ticket of its brand, by an operator's word. Its author is whom the ticket
 * knows under its address: the requester, a participant, or somebody of the desk, whether that was proven or not; and
 * anybody else speaks this once as a participant, under their own name. A mail that cannot be read, or whose text is
 * too long to be said, is attached as it came; of an agent's that would take what it quotes to the customer.
 * @param operator the operating system's user name
 * @returns null where another was first
 * @throws AppError `not_found` where there is no such ticket, `ticket_closed`
 * @throws UnreadAnswer where an agent's mail cannot be said
 */
export async function releaseMail(
  deps: QuarantineDeps,
  mail: LyingMail,
  ticketId: string,
  operator: string,
): Promise<Released | null> {
  const { brandId, mailId } = mail
  const brand = brandOf(deps.conversation, brandId)
  const people = await deps.database.run(STATEMENT_MS, (sql) => readPeople(sql, brandId, ticketId))
  const raw = await deps.blobs.read(mail.sha256)
  const read = await readPatiently(deps.reading, raw)
  const isLong = !('unreadable' in read) && Buffer.byteLength(read.wholeText) > deps.textBytes
  const isRead = !('unreadable' in read) && !mail.headOnly && !isLong
  const sender = 'unreadable' in read ? senderOfHead(raw) : senderOf(read)
  const name = 'unreadable' in read ? null : (read.from?.name ?? null)
  const speaker = speakerBy(sender, name)
  if (speaker.author === 'agent' && !isRead) throw new UnreadAnswer()
  const held = isRead && speaker.author === 'agent' ? heldFor(read) : null
  const files = isRead ? filesSaidBy(speaker.author, await filesOf(read)) : [asItCame(mail, raw)]
  for (const { row, bytes } of files) await deps.blobs.put(row.sha256.toString('hex'), bytes)
  const messageId = newUuid()
  const by = { actor: 'operator', actorId: operator } as const

  function speakerBy(address: string | null, given: string | null): Speaker {
    const stranger: Speaker = { author: 'participant', name: given }
    if (address === null || people === null) return stranger
    const known = customerOf(people, { address, name: given })
    if (known !== null) return known
    return isNamedAgent(brand.desk, address) ? { author: 'agent', name: given } : stranger
  }

  return await deps.database.run(STATEMENT_MS, (sql) =>
    sql.begin(async (tx) => {
      const resolved = { brandId, mailId, as: 'released', ticketId, messageId, auditId: newUuid() } as const
      if (!(await resolveMail(tx, { ...resolved, ...by }))) return null
      await say(tx, deps.conversation, {
        ...by,
        brandId,
        ticketId,
        messageId,
        ...(isRead
          ? wordsOf(read, speaker.author, deps.conversation.brands.values())
          : { body: isLong ? TOO_LONG : UNREAD, wholeText: null, html: null }),
        author: speaker.author,
        authorName: speaker.name === null ? null : storable(speaker.name),
        authorAddress: sender === null ? null : storable(sender),
        via: 'mail',
        automatic: false,
        heldFor: held,
        inboundMailId: mailId,
        attachments: files.map(({ row }) => row),
      })
      return { messageId, author: speaker.author, heldFor: held }
    }),
  )
}

/** An agent's mail is never attached as it came: it holds what the desk wrote among itself, and signed addresses. */
export class UnreadAnswer extends Error {
  override readonly name = 'UnreadAnswer'

  constructor() {
    super('an agent’s mail that cannot be read, or is too long, is not said')
  }
}

/** Of a mail that cannot be read: its head may still say whose it seems to be. */
function senderOfHead(raw: Buffer): string | null {
  const { address } = readFrom(readHead(raw)?.fields ?? [])
  return address === null ? null : comparableAddress(address)
}

const TOO_LONG = 'The text of this mail is too long to be shown. The mail is attached as it came.'
const UNREAD = 'This mail could not be read. What was kept of it is attached as it came.'

function asItCame({ sha256, headOnly }: LyingMail, raw: Buffer): MessageFile {
  const row = {
    attachmentId: newUuid(),
    filename: headOnly ? 'header.eml' : 'mail.eml',
    declaredType: 'message/rfc822',
    detectedType: null,
    sha256: Buffer.from(sha256, 'hex'),
    size: raw.length,
  }
  return { row, bytes: raw, isBody: false }
}

/** Says that a quarantined mail is nothing to anybody. @returns whether it still lay there */
export async function discardMail(
  sql: Executor,
  { brandId, mailId }: Pick<MailLine, 'brandId' | 'mailId'>,
  operator: string,
): Promise<boolean> {
  const by = { actor: 'operator', actorId: operator, auditId: newUuid() } as const
  return await resolveMail(sql, { brandId, mailId, as: 'discarded', ticketId: null, messageId: null, ...by })
}

/** What a mail says, for an operator's eyes: nobody is proven by it. */
export async function readForShow(
  { blobs, reading }: Pick<QuarantineDeps, 'blobs' | 'reading'>,
  sha256: string,
): Promise<{ raw: Buffer; read: ReadMail | Unreadable }> {
  const raw = await blobs.read(sha256)
  return { raw, read: await readPatiently(reading, raw) }
}

async function readPatiently(
  reading: Pick<ReadingPool, 'read'>,
  raw: Buffer,
  times = READINGS,
): Promise<ReadMail | Unreadable> {
  const read = await reading.read(raw, { trustedAuthservIds: [] })
  const isAgain = 'unreadable' in read && read.again === true && times > 1
  return isAgain ? readPatiently(reading, raw, times - 1) : read
}
