import type { BlobFolder } from '../../blobs/blob-folder.ts'
import type { Database } from '../../database/pool.ts'
import { newUuid, toId } from '../../ids.ts'
import type { Log } from '../../log.ts'
import type { InboundMailRow } from '../inbound-mail.store.ts'
import { digestMail, INBOUND_MAIL_BYTES } from '../mail-bytes.ts'
import { type ImapCursor, keepImapMail, type MailboxLease } from './imap-cursor.store.ts'
import { isOfTheMail, type MailboxSession } from './mailbox-session.ts'

const STATEMENT_MS = 5000
/** Mails whose sizes are asked for at once. */
const AT_ONCE = 100
/** Times that a server may refuse to give a mail; then its head is kept, or else that it was there. */
const REFUSALS = 10

export type MailboxReaderDeps = {
  brandId: string
  database: Pick<Database, 'run'>
  blobs: Pick<BlobFolder, 'put'>
  lease: MailboxLease
  onKept: () => void
  log: Log
}

type Fetched = { raw: Buffer; size: number; headOnly: boolean }

/** Takes what is new out of a mailbox, one mail at a time, so that one is in memory at most. */
export class MailboxReader {
  readonly #deps: MailboxReaderDeps
  /** The mail that the server refuses to give, and how often it did. */
  #refused = { uid: 0, times: 0 }

  constructor(deps: MailboxReaderDeps) {
    this.#deps = deps
  }

  /**
   * Reads every mail behind the cursor.
   * @param onProgress is called for each mail that is passed
   * @returns how far it came, and whether another process reads the mailbox now
   * @throws Error of the connection, the disk or the database
   */
  async readFrom(
    session: MailboxSession,
    { uidValidity, lastUid }: ImapCursor,
    onProgress: () => void,
  ): Promise<{ lastUid: number; lost: boolean }> {
    let last = lastUid
    const uids = await session.uidsAfter(lastUid)
    for (let start = 0; start < uids.length; start += AT_ONCE) {
      const some = uids.slice(start, start + AT_ONCE)
      const sizes = await session.sizes(some)
      for (const uid of some) {
        const fetched = await this.#fetch(session, uid, sizes.get(uid) ?? 0)
        if (fetched === null) continue
        const kept = await this.#keep(uidValidity, uid, fetched)
        if (kept === 'lost') return { lastUid: last, lost: true }
        last = uid
        onProgress()
      }
    }
    return { lastUid: last, lost: false }
  }

  /** @returns null where the mail is gone */
  async #fetch(session: MailboxSession, uid: number, size: number): Promise<Fetched | null> {
    const times = this.#refused.uid === uid ? this.#refused.times : 0
    try {
      if (times >= 2 * REFUSALS) return { raw: Buffer.alloc(0), size, headOnly: true }
      if (times < REFUSALS && size <= INBOUND_MAIL_BYTES) {
        const raw = await session.mail(uid)
        if (raw === null) return null
        if (raw.length <= INBOUND_MAIL_BYTES) return { raw, size: raw.length, headOnly: false }
      }
      const head = await session.head(uid)
      // What the server says of the size may be less than what it gave.
      return head && { raw: head, size: Math.max(size, head.length), headOnly: true }
    } catch (error) {
      if (isOfTheMail(error)) this.#refused = { uid, times: times + 1 }
      throw error
    }
  }

  async #keep(uidValidity: bigint, uid: number, { raw, size, headOnly }: Fetched) {
    const { brandId, database, blobs, lease, onKept, log } = this.#deps
    const sha256 = await digestMail(raw)
    await blobs.put(sha256.toString('hex'), raw)
    const mail: InboundMailRow = {
      brandId,
      mailId: newUuid(),
      way: 'imap',
      sha256,
      keptSize: raw.length,
      size,
      headOnly,
      requestDigest: null,
    }
    const kept = await database.run(STATEMENT_MS, (sql) =>
      keepImapMail(sql, lease, { uidValidity, uid, mail }),
    )
    const facts = { brand_id: brandId, inbound_id: toId('inb', mail.mailId), bytes: size }
    if (kept === 'kept') {
      onKept()
      log.info(headOnly ? 'imap_mail_head_kept' : 'imap_mail_kept', facts)
    } else if (kept === 'known') {
      log.debug('imap_mail_known', { brand_id: brandId })
    }
    return kept
  }
}
