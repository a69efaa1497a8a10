import type { Executor } from '../database/pool.ts'
import type { InboundWay } from './inbound-mail.store.ts'
import type { SettledAs } from './settle.store.ts'
import type { TicketPeople } from './speakers.ts'

/** A mail as the operator's list shows it. */
export type MailLine = {
  brandId: string
  /** UUID. */
  mailId: string
  way: InboundWay
  receivedAt: Date
  /** Bytes, as it came. */
  size: number
  headOnly: boolean
  /** Of what was kept of it, in hexadecimal; null once it was swept. */
  sha256: string | null
  settledAs: SettledAs | null
  reason: string | null
  settledAt: Date | null
  attempts: number
  mailMessageId: string | null
  authorAddress: string | null
  authenticated: boolean | null
  /** Where it was said; of one that lies in quarantine, the ticket that it points to. */
  ticketId: string | null
  messageId: string | null
  deliveryId: string | null
  resolution: 'released' | 'discarded' | null
  resolvedAt: Date | null
}

/** What lies in quarantine and waits for an operator, the oldest first. @param brandId null: of every brand */
export async function listQuarantine(
  sql: Executor,
  { brandId, limit }: { brandId: string | null; limit: number },
): Promise<MailLine[]> {
  return await sql<MailLine[]>`
    SELECT ${columns(sql)} FROM inbound_mails
    WHERE settled_as = 'quarantined' AND resolution IS NULL AND (${brandId}::text IS NULL OR brand_id = ${brandId})
    ORDER BY received_at, id LIMIT ${limit}`
}

/** Any mail, whatever became of it; null: there is none. */
export async function readMailLine(sql: Executor, mailId: string): Promise<MailLine | null> {
  const [line] = await sql<MailLine[]>`SELECT ${columns(sql)} FROM inbound_mails WHERE id = ${mailId}`
  return line ?? null
}

function columns(sql: Executor) {
  return sql`brand_id AS "brandId", id AS "mailId", way, received_at AS "receivedAt", size::float8 AS size,
    head_only AS "headOnly", encode(sha256, 'hex') AS sha256, settled_as AS "settledAs", reason,
    settled_at AS "settledAt", attempts, mail_message_id AS "mailMessageId", author_address AS "authorAddress",
    authenticated, ticket_id AS "ticketId", message_id AS "messageId", delivery_id AS "deliveryId", resolution,
    resolved_at AS "resolvedAt"`
}

/** Who may speak on a ticket; null: there is none. */
export async function readPeople(
  sql: Executor,
  brandId: string,
  ticketId: string,
): Promise<TicketPeople | null> {
  const [row] = await sql<TicketPeople[]>`
    SELECT t.requester_email AS "requesterEmail",
      (SELECT coalesce(json_agg(json_build_object('address', p.address, 'name', p.name)), '[]') FROM participants p
        WHERE p.brand_id = t.brand_id AND p.ticket_id = t.id) AS participants
    FROM tickets t WHERE t.brand_id = ${brandId} AND t.id = ${ticketId}`
  return row ?? null
}

export type Resolution = {
  brandId: string
  mailId: string
  as: 'released' | 'discarded'
  /** Of a released one. */
  ticketId: string | null
  messageId: string | null
  actor: 'operator' | 'system'
  actorId: string | null
  auditId: string
}

/**
 * Writes down what an operator did about a quarantined mail, with its audit entry. First in its transaction: who comes
 * second waits here, and then finds it done.
 * @returns whether it still lay there
 */
export async function resolveMail(tx: Executor, done: Resolution): Promise<boolean> {
  const rows = await tx`
    WITH resolved AS (
      UPDATE inbound_mails SET resolution = ${done.as}, resolved_at = now(),
        ticket_id = coalesce(${done.ticketId}::uuid, ticket_id), message_id = ${done.messageId}
      WHERE brand_id = ${done.brandId} AND id = ${done.mailId} AND settled_as = 'quarantined' AND resolution IS NULL
      RETURNING brand_id, id
    )
    INSERT INTO audit_entries (brand_id, id, actor, actor_id, action, ticket_id, message_id, inbound_mail_id)
    SELECT brand_id, ${done.auditId}::uuid, ${done.actor}, ${done.actorId}, ${`inbound.${done.as}`},
      ${done.ticketId}::uuid, ${done.messageId}::uuid, id
    FROM resolved
    RETURNING id`
  return rows.length > 0
}

/** How many raw mails are swept at a time. */
export const RAW_SWEPT_AT_ONCE = 500

/**
 * Forgets the bytes of mails that were settled so long ago, but for their digest; the sweep of blobs takes their files.
 * What still lay in quarantine can be released no more: it is discarded, and the audit says by whom.
 * @param keep milliseconds
 * @param auditIds as many as are swept at a time
 * @returns how many there were, of at most {@link RAW_SWEPT_AT_ONCE}
 */
export async function sweepRaw(sql: Executor, keep: number, auditIds: string[]): Promise<number> {
  const rows = await sql`
    WITH due AS MATERIALIZED (
      -- As it is under its lock: an operator may have been there since the statement began.
      SELECT brand_id, id, settled_as = 'quarantined' AND resolution IS NULL AS lies FROM inbound_mails
      WHERE sha256 IS NOT NULL AND settled_at <= now() - make_interval(secs => ${keep / 1000})
      ORDER BY settled_at LIMIT ${Math.min(RAW_SWEPT_AT_ONCE, auditIds.length)}
      FOR UPDATE SKIP LOCKED
    ),
    lying AS (
      SELECT brand_id, id, row_number() OVER () AS place FROM due WHERE lies
    ),
    audit AS (
      INSERT INTO audit_entries (brand_id, id, actor, action, inbound_mail_id)
      SELECT l.brand_id, a.id::uuid, 'system', 'inbound.discarded', l.id
      FROM lying l
      JOIN json_array_elements_text(${JSON.stringify(auditIds)}::text::json) WITH ORDINALITY AS a(id, place) USING (place)
    )
    UPDATE inbound_mails m SET sha256 = NULL, swept_sha256 = m.sha256,
      resolution = CASE WHEN due.lies THEN 'discarded' ELSE m.resolution END,
      resolved_at = CASE WHEN due.lies THEN now() ELSE m.resolved_at END
    FROM due
    WHERE m.brand_id = due.brand_id AND m.id = due.id
    RETURNING m.id`
  return rows.length
}

/** Mails of a brand that wait, and the age of the oldest in seconds. */
export type MailCount = {
  brandId: string
  what: 'received' | 'quarantined'
  count: number
  oldestAge: number
}

/** Mails that wait to be settled, and those that wait for an operator. */
export async function countWaiting(sql: Executor): Promise<MailCount[]> {
  return await sql<MailCount[]>`
    SELECT brand_id AS "brandId", 'received' AS what, count(*)::float8 AS count,
      extract(epoch FROM now() - min(received_at))::float8 AS "oldestAge"
    FROM inbound_mails WHERE state = 'received' GROUP BY brand_id
    UNION ALL
    SELECT brand_id, 'quarantined', count(*)::float8, extract(epoch FROM now() - min(received_at))::float8
    FROM inbound_mails WHERE settled_as = 'quarantined' AND resolution IS NULL GROUP BY brand_id`
}
