import type { BlobFolder } from '../blobs/blob-folder.ts'
import type { Brand } from '../config.ts'
import type { NewAttachmentRow } from '../conversation/attachment-row.ts'
import type { ConversationDeps } from '../conversation/conversation.ts'
import { openTicket } from '../conversation/open-ticket.ts'
import { say } from '../conversation/say.ts'
import type { Pass } from '../crash-points.ts'
import type { Database, Executor } from '../database/pool.ts'
import { AppError } from '../errors.ts'
import { newUuid } from '../ids.ts'
import { acknowledges } from '../mail/acknowledgement.ts'
import { readLately } from './facts.store.ts'
import { readFacts, senderOf } from './facts.ts'
import { fingerprintOf } from './fingerprint.ts'
import { filesOf, filesSaidBy, type MessageFile, storable, storableId, wordsOf } from './mail-message.ts'
import type { ReadMail } from './reading/read-mail.ts'
import type { Reader, ReadingPool } from './reading/reading-pool.ts'
import {
  type ClaimedMail,
  isFingerprintTaken,
  markBounced,
  noteDelay,
  type SettledAs,
  type SettledMail,
  settleRow,
} from './settle.store.ts'
import {
  type Decision,
  MAILS_PER_HOUR,
  type Settlement,
  settle,
  settleUnread,
  type UnreadMail,
} from './settle.ts'

/** Milliseconds for one transaction, or for the questions before it. */
const STATEMENT_MS = 5000
/** Seconds that DNS has to tell whose mail it is; so many looks are had in any case. */
const WAIT_FOR_DNS = 24 * 60 * 60
const LEAST_LOOKS = 3
/**
 * A mail that was in hand so often when a process died is not read again. A process that is killed has many in hand, and
 * one of them is met again at times: seldom so often.
 */
export const MOST_FAILURES = 5
/** Times that a mail is read where the machine may be why it was not read in time. */
const READINGS = 3
/** How often it begins anew where somebody else was first. */
const ROUNDS = 4

export type SettleMailDeps = {
  conversation: ConversationDeps
  database: Pick<Database, 'run'>
  blobs: Pick<BlobFolder, 'read' | 'put'>
  reading: Pick<ReadingPool, 'read'>
  holder: string
  /** Bytes of text in UTF-8 that anybody may send at once. */
  textBytes: number
  pass: Pass
}

/** `later`: to be tried again. `lost`: another process has it. `said`: whether there is something to carry. */
export type Settled =
  | { as: SettledAs; reason: string | null; isPromise: boolean }
  | { as: 'later' }
  | { as: 'lost' }

/**
 * Settles one mail that this process holds: reads it, decides, and writes everything that follows in one transaction.
 * @param onAsking hears when it begins to wait for DNS, and when it does not wait any more
 * @throws Error of the file system or BlobDamaged where its bytes cannot be read; of the database, see `isDatabaseAway`;
 *   of the reading where that cannot begin
 */
export async function settleMail(
  deps: SettleMailDeps,
  claimed: ClaimedMail,
  brand: Brand,
  onAsking?: Reader['onAsking'],
): Promise<Settled> {
  const reader = { brandId: brand.id, ...(onAsking === undefined ? {} : { onAsking }) }
  const mail = await readClaimed(deps, claimed, brand, reader)
  const files = 'unreadable' in mail ? [] : await filesOf(mail)
  deps.pass('before_settle')
  for (let round = 1; ; round++) {
    try {
      return await settleOnce(deps, claimed, brand, mail, files)
    } catch (error) {
      // Another mail of the same fingerprint was first, the ticket was closed meanwhile, or other mails of its sender
      // have reached the bound: it is another row now.
      const isOvertaken =
        isFingerprintTaken(error) ||
        error instanceof BoundReached ||
        (error instanceof AppError && error.code === 'ticket_closed')
      if (!isOvertaken || round === ROUNDS) throw error
    }
  }
}

async function readClaimed(
  { blobs, reading }: SettleMailDeps,
  { sha256, failures }: ClaimedMail,
  brand: Brand,
  reader: Reader,
): Promise<ReadMail | UnreadMail> {
  if (failures >= MOST_FAILURES) return { unreadable: 'failed' }
  const raw = await blobs.read(sha256)
  const read = await reading
    .read(raw, { trustedAuthservIds: brand.inbound?.trustedAuthservIds ?? [] }, reader)
    .catch((error: unknown) => {
      throw new NotReadNow('the mail cannot be read now', { cause: error })
    })
  if ('unreadable' in read && read.again && failures + 1 < READINGS) throw new NotReadInTime()
  return read
}

/** Where it happens again and again, it is taken for the mail's own fault. */
class NotReadInTime extends Error {
  override readonly name = 'NotReadInTime'

  constructor() {
    super('the mail was not read in time, and the machine may be why')
  }
}

/** Mails of the same sender that were settled at the same time were counted by nobody before. */
class BoundReached extends Error {
  override readonly name = 'BoundReached'
}

/** Reading could not begin, or was ended with the process. */
export class NotReadNow extends Error {
  override readonly name = 'NotReadNow'
}

async function settleOnce(
  deps: SettleMailDeps,
  claimed: ClaimedMail,
  brand: Brand,
  mail: ReadMail | UnreadMail,
  files: MessageFile[],
): Promise<Settled> {
  if ('unreadable' in mail) return await write(deps, claimed, settleUnread(mail), null)
  if (claimed.headOnly) {
    // Its head still tells whose it seems to be.
    const read = { brand, mail, fingerprint: null, pointsTo: null, attachments: [] }
    return await write(deps, claimed, settleUnread({ unreadable: 'too_large' }), read)
  }
  const fingerprint = fingerprintOf(mail)
  const circumstances = {
    fingerprint,
    isTooLong: Buffer.byteLength(mail.wholeText) > deps.textBytes,
    mayWait: claimed.age < WAIT_FOR_DNS || claimed.attempt < LEAST_LOOKS,
  }
  const facts = await deps.database.run(STATEMENT_MS, (sql) => readFacts(sql, brand, mail, circumstances))
  const decision: Decision = settle(mail, facts)
  if (decision.as === 'later') return decision
  const said = filesOfDecision(decision, files)
  // The bytes are safe before a row speaks of them.
  for (const { row, bytes } of said) await deps.blobs.put(row.sha256.toString('hex'), bytes)
  const attachments = said.map(({ row }) => row)
  const [only, ...others] = facts.tickets
  const pointsTo = only === undefined || others.length > 0 ? null : only.ticketId
  return await write(deps, claimed, decision, { brand, mail, fingerprint, pointsTo, attachments })
}

function filesOfDecision(decision: Decision, files: MessageFile[]): MessageFile[] {
  if ('speaker' in decision) return filesSaidBy(decision.speaker.author, files)
  return decision.as === 'new_ticket' ? files : []
}

type Read = {
  brand: Brand
  mail: ReadMail
  fingerprint: Buffer | null
  /** The one ticket that it names, whether its sender may speak there or not. */
  pointsTo: string | null
  attachments: NewAttachmentRow[]
}

async function write(
  deps: SettleMailDeps,
  claimed: ClaimedMail,
  settlement: Settlement,
  read: Read | null,
): Promise<Settled> {
  const row = rowOf(settlement, read)
  const settled = await deps.database.run(STATEMENT_MS, (sql) =>
    sql.begin(async (tx): Promise<Settled> => {
      if (!(await settleRow(tx, deps.holder, claimed, row))) return { as: 'lost' }
      const deliveries = read === null ? 0 : await follow(tx, deps, claimed, settlement, read, row)
      deps.pass('in_settle')
      return { as: row.settledAs, reason: row.reason, isPromise: deliveries > 0 }
    }),
  )
  deps.pass('after_settle')
  return settled
}

function rowOf(settlement: Settlement, read: Read | null): SettledMail {
  const mail = read?.mail ?? null
  const sender = mail === null ? null : senderOf(mail)
  return {
    settledAs: settlement.as,
    reason: 'reason' in settlement ? settlement.reason : null,
    mailMessageId: storableId(mail?.messageId ?? null),
    authorAddress: sender === null ? null : storable(sender),
    authenticated: mail?.authentication.passed ?? null,
    fingerprint: read?.fingerprint ?? null,
    ticketId: ticketOf(settlement, read),
    messageId: 'speaker' in settlement || settlement.as === 'new_ticket' ? newUuid() : null,
    deliveryId: settlement.as === 'bounce' ? settlement.deliveryId : null,
  }
}

function ticketOf(settlement: Settlement, read: Read | null): string | null {
  // So that an operator who looks at the ticket sees what lies in quarantine beside it.
  if (settlement.as === 'quarantined') return read?.pointsTo ?? null
  if ('ticketId' in settlement) return settlement.ticketId
  return settlement.as === 'new_ticket' ? newUuid() : null
}

/** What follows of a mail, beside its own row. @returns how many deliveries it makes */
async function follow(
  tx: Executor,
  { conversation }: SettleMailDeps,
  { brandId, mailId }: ClaimedMail,
  settlement: Settlement,
  { brand, mail, attachments }: Read,
  { ticketId, messageId, authorAddress }: SettledMail,
): Promise<number> {
  if (settlement.as === 'bounce') {
    const { deliveryId, code, came, silences } = settlement
    const bounced = { brandId, deliveryId, mailId, auditId: newUuid(), code, silences }
    if (came === 'late') await noteDelay(tx, bounced)
    else await markBounced(tx, bounced)
    return 0
  }
  if (ticketId === null || messageId === null || authorAddress === null) return 0
  const ids = { brandId, ticketId, messageId, inboundMailId: mailId, attachments }
  const by = { via: 'mail', actor: 'sender', actorId: null } as const
  if (settlement.as === 'new_ticket') {
    const { deliveryIds } = await openTicket(tx, conversation, {
      ...ids,
      ...by,
      ...wordsOf(mail, 'customer', conversation.brands.values(), false),
      subject: storable(mail.subject),
      requesterEmail: authorAddress,
      requesterName: nameOf(mail),
      addressProven: settlement.isProven,
      acknowledge: settlement.mayAnswer && acknowledges(brand, settlement.isProven),
    })
    return deliveryIds.length
  }
  if (!('speaker' in settlement)) return 0
  const { speaker, heldFor } = settlement
  const { deliveryIds } = await say(tx, conversation, {
    ...ids,
    ...by,
    ...wordsOf(mail, speaker.author, conversation.brands.values()),
    author: speaker.author,
    authorName: speaker.name === null ? null : storable(speaker.name),
    authorAddress,
    automatic: settlement.as === 'automatic',
    heldFor: settlement.as === 'automatic' ? null : heldFor,
  })
  // The ticket is locked now, so that of all who looked at once each sees the one before.
  if ((await readLately(tx, brandId, ticketId, authorAddress)) > MAILS_PER_HOUR) throw new BoundReached()
  return deliveryIds.length
}

function nameOf({ from }: ReadMail): string | null {
  return from?.name ? storable(from.name) : null
}
