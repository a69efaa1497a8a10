import type { Executor } from '../../database/pool.ts'
import type { InboundMailRow } from '../inbound-mail.store.ts'

/** Whose lease, of which mailbox. */
export type MailboxLease = {
  brandId: string
  /** See `mailboxUrl`. */
  mailbox: string
  holder: string
  /** Seconds. */
  lease: number
}

/** How far a mailbox was read. */
export type ImapCursor = {
  /** 0: it was never looked at. */
  uidValidity: bigint
  lastUid: number
}

/** Takes the lease, or goes on with it. @returns null where another process has it */
export async function leaseMailbox(sql: Executor, lease: MailboxLease): Promise<ImapCursor | null> {
  const [row] = await sql<{ uidValidity: string; lastUid: number }[]>`
    INSERT INTO imap_cursors AS held (brand_id, mailbox, locked_by, lease_until)
    VALUES (${lease.brandId}, ${lease.mailbox}, ${lease.holder}, now() + make_interval(secs => ${lease.lease}))
    ON CONFLICT (brand_id, mailbox) DO UPDATE
      SET locked_by = excluded.locked_by, lease_until = excluded.lease_until
      WHERE held.locked_by IS NULL OR held.locked_by = excluded.locked_by OR held.lease_until <= now()
    RETURNING uid_validity::text AS "uidValidity", last_uid::float8 AS "lastUid"`
  return row === undefined ? null : { uidValidity: BigInt(row.uidValidity), lastUid: row.lastUid }
}

/** @returns whether the lease was still held */
export async function renewMailbox(sql: Executor, lease: MailboxLease): Promise<boolean> {
  const rows = await sql`
    UPDATE imap_cursors SET lease_until = now() + make_interval(secs => ${lease.lease})
    WHERE brand_id = ${lease.brandId} AND mailbox = ${lease.mailbox} AND locked_by = ${lease.holder}
    RETURNING 1`
  return rows.length > 0
}

/** Gives the lease back, so that another process goes on at once. */
export async function releaseMailbox(sql: Executor, lease: MailboxLease): Promise<void> {
  await sql`
    UPDATE imap_cursors SET locked_by = NULL, lease_until = now()
    WHERE brand_id = ${lease.brandId} AND mailbox = ${lease.mailbox} AND locked_by = ${lease.holder}`
}

/**
 * The mailbox's UIDs mean something else than before: it is read from its beginning, and what is here already, to the
 * byte, is not kept again, also where it comes back to the mailbox only later.
 * @returns whether the lease was still held
 */
export async function beginMailboxAnew(
  sql: Executor,
  lease: MailboxLease,
  uidValidity: bigint,
): Promise<boolean> {
  const rows = await sql`
    UPDATE imap_cursors
    SET uid_validity = ${String(uidValidity)}::text::bigint, last_uid = 0, known_since = now()
    WHERE brand_id = ${lease.brandId} AND mailbox = ${lease.mailbox} AND locked_by = ${lease.holder}
    RETURNING 1`
  return rows.length > 0
}

/** `known`: it is here already, from before the mailbox was reset. `lost`: another process reads the mailbox. */
export type ImapKept = 'kept' | 'known' | 'lost'

/**
 * Keeps a mail and moves the cursor onto it, in one statement and so in one COMMIT. A process that stalled, and whose
 * lease another has taken, keeps nothing.
 */
export async function keepImapMail(
  sql: Executor,
  lease: MailboxLease,
  { uidValidity, uid, mail }: { uidValidity: bigint; uid: number; mail: InboundMailRow },
): Promise<ImapKept> {
  const [row] = await sql<{ moved: boolean; kept: boolean }[]>`
    WITH moved AS (
      UPDATE imap_cursors SET last_uid = ${uid}, lease_until = now() + make_interval(secs => ${lease.lease})
      WHERE brand_id = ${lease.brandId} AND mailbox = ${lease.mailbox} AND locked_by = ${lease.holder}
        AND uid_validity = ${String(uidValidity)}::text::bigint AND last_uid < ${uid}
      RETURNING known_since
    ),
    mail AS MATERIALIZED (
      SELECT decode(${mail.sha256.toString('hex')}, 'hex') AS sha256 FROM moved
    ),
    blob AS (
      INSERT INTO blobs (sha256, size) SELECT sha256, ${mail.keptSize} FROM mail
      ON CONFLICT (sha256) DO UPDATE SET size = excluded.size
    ),
    kept AS (
      INSERT INTO inbound_mails (brand_id, id, way, sha256, size, head_only)
      SELECT ${mail.brandId}, ${mail.mailId}::uuid, 'imap', mail.sha256, ${mail.size}, ${mail.headOnly}
      FROM moved, mail
      WHERE NOT EXISTS (
        SELECT FROM inbound_mails AS before
        WHERE before.sha256 = mail.sha256 AND before.brand_id = ${mail.brandId} AND before.way = 'imap'
          AND before.received_at < moved.known_since
      )
      AND NOT EXISTS (
        SELECT FROM inbound_mails AS swept
        WHERE swept.swept_sha256 = mail.sha256 AND swept.brand_id = ${mail.brandId} AND swept.way = 'imap'
          AND swept.received_at < moved.known_since
      )
      RETURNING 1
    )
    SELECT EXISTS (SELECT FROM moved) AS moved, EXISTS (SELECT FROM kept) AS kept`
  if (row?.moved !== true) return 'lost'
  return row.kept ? 'kept' : 'known'
}
