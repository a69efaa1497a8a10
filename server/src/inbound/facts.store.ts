import { bytesOfTicket, TICKET_BYTES } from '../conversation/ticket-size.store.ts'
import type { Executor } from '../database/pool.ts'
import type { ReplySide } from '../mail/reply-address.ts'
import { storable } from './mail-message.ts'
import type { OwnMessageId } from './own-mail.ts'
import type { TicketPeople } from './speakers.ts'

// What a mail says goes into a question by `storable` or `inJson` alone, whatever its reader has left in it.

/** Whether a mail with this fingerprint was taken. A quarantined one was not. */
export async function isTaken(sql: Executor, brandId: string, fingerprint: Buffer): Promise<boolean> {
  const rows = await sql`
    SELECT FROM inbound_mails WHERE brand_id = ${brandId} AND fingerprint = ${fingerprint}
      AND settled_as IN ('automatic', 'reply', 'new_ticket', 'bounce')`
  return rows.length > 0
}

/** `place`: of the Message-ID in what was asked, from 0. `age`: seconds since it was delivered, or promised. */
export type FoundDelivery = {
  place: number
  deliveryId: string
  ticketId: string
  side: ReplySide
  recipient: string | null
  age: number
}

/** The deliveries that were sent under these Message-IDs, looked up by the ids in them. */
export async function findDeliveries(
  sql: Executor,
  brandId: string,
  mailIds: OwnMessageId[],
): Promise<FoundDelivery[]> {
  if (mailIds.length === 0) return []
  const asked = inJson(
    mailIds.map((one, place) => ({
      place,
      mail_id: one.mailId,
      message_id: one.messageId,
      delivery_id: one.deliveryId,
    })),
  )
  return await sql<FoundDelivery[]>`
    WITH asked AS MATERIALIZED (
      SELECT * FROM json_to_recordset(${asked}::text::json)
        AS a(place integer, mail_id text, message_id uuid, delivery_id uuid)
    ),
    found AS (
      SELECT a.place, d.* FROM asked a
      JOIN deliveries d ON d.brand_id = ${brandId} AND d.id = a.delivery_id AND d.mail_message_id = a.mail_id
      UNION ALL
      SELECT a.place, d.* FROM asked a
      JOIN deliveries d ON d.brand_id = ${brandId} AND d.message_id = a.message_id AND d.side = 'desk'
        AND d.kind = 'message' AND d.mail_message_id = a.mail_id
    )
    SELECT ${deliveryColumns(sql)}, d.place FROM found d
    JOIN messages m ON m.brand_id = d.brand_id AND m.id = d.message_id
    ORDER BY d.place`
}

/** The last mail of ours that an address was sent on a ticket; null where there is none. */
export async function findLastTo(
  sql: Executor,
  brandId: string,
  ticketId: string,
  recipient: string,
): Promise<FoundDelivery | null> {
  const [row] = await sql<FoundDelivery[]>`
    SELECT ${deliveryColumns(sql)}, 0 AS place FROM messages m
    JOIN deliveries d ON d.brand_id = m.brand_id AND d.message_id = m.id
    WHERE m.brand_id = ${brandId} AND m.ticket_id = ${ticketId} AND d.recipient = ${storable(recipient)}
      AND d.mail_message_id IS NOT NULL
    ORDER BY d.created_at DESC, d.id DESC LIMIT 1`
  return row ?? null
}

function deliveryColumns(sql: Executor) {
  return sql`d.id AS "deliveryId", m.ticket_id AS "ticketId", d.side, d.recipient,
    extract(epoch FROM now() - coalesce(d.finished_at, d.created_at))::float8 AS age`
}

/** A ticket that somebody's own earlier mails are on, and on whose side they spoke there. */
export type FoundMail = { ticketId: string; side: ReplySide }

/** Where the mails with these Message-IDs, which somebody sent us before, became messages. */
export async function findOwnMails(
  sql: Executor,
  brandId: string,
  mailIds: string[],
  sender: string,
): Promise<FoundMail[]> {
  if (mailIds.length === 0) return []
  return await sql<FoundMail[]>`
    SELECT DISTINCT m.ticket_id AS "ticketId", CASE m.author WHEN 'agent' THEN 'desk' ELSE 'customer' END AS side
    FROM inbound_mails i JOIN messages m ON m.brand_id = i.brand_id AND m.id = i.message_id
    WHERE i.brand_id = ${brandId} AND i.author_address = ${storable(sender)} AND i.message_id IS NOT NULL
      AND i.mail_message_id IN (SELECT json_array_elements_text(${inJson(mailIds)}::text::json))`
}

/** `recipients`: whom mail on the ticket went to. `lately`: a sender's mails there within the last hour. */
export type PointedTicket = TicketPeople & {
  ticketId: string
  isClosed: boolean
  isFull: boolean
  recipients: string[]
  lately: number
}

/** Tickets of a brand, those of the ids that there are, and what one sender did there. */
export async function readPointedTickets(
  sql: Executor,
  brandId: string,
  ticketIds: string[],
  sender: string | null,
): Promise<PointedTicket[]> {
  if (ticketIds.length === 0) return []
  return await sql<PointedTicket[]>`
    SELECT t.id AS "ticketId", t.status = 'closed' AS "isClosed", t.requester_email AS "requesterEmail",
      (SELECT coalesce(json_agg(json_build_object('address', p.address, 'name', p.name)), '[]') FROM participants p
        WHERE p.brand_id = t.brand_id AND p.ticket_id = t.id) AS participants,
      (SELECT coalesce(json_agg(DISTINCT d.recipient), '[]') FROM messages m
        JOIN deliveries d ON d.brand_id = m.brand_id AND d.message_id = m.id
        WHERE m.brand_id = t.brand_id AND m.ticket_id = t.id AND d.side = 'customer') AS recipients,
      (${countLately(sql, sql`t.brand_id`, sql`t.id`, sender)}) AS lately,
      (${bytesOfTicket(sql, sql`t.brand_id`, sql`t.id`)}) > ${TICKET_BYTES}::float8 AS "isFull"
    FROM tickets t
    WHERE t.brand_id = ${brandId}
      AND t.id IN (SELECT value::uuid FROM json_array_elements_text(${JSON.stringify(ticketIds)}::text::json))`
}

/** A sender's mails on a ticket within the last hour, those of this transaction among them. */
export async function readLately(
  tx: Executor,
  brandId: string,
  ticketId: string,
  sender: string,
): Promise<number> {
  const [row] = await tx<{ lately: number }[]>`
    SELECT (${countLately(tx, tx`${brandId}`, tx`${ticketId}::uuid`, sender)}) AS lately`
  return row?.lately ?? 0
}

type Fragment = ReturnType<Executor>

function countLately(sql: Executor, brandId: Fragment, ticketId: Fragment, sender: string | null) {
  return sql`SELECT count(*)::float8 FROM messages m WHERE m.brand_id = ${brandId} AND m.ticket_id = ${ticketId}
    AND m.author_address = ${sender === null ? null : storable(sender)} AND m.via = 'mail' AND m.created_at > clock_timestamp() - interval '1 hour'`
}

/** JSON that PostgreSQL takes: it has no NUL in JSON either. */
function inJson(value: unknown): string {
  return JSON.stringify(value, (_, one: unknown) => (typeof one === 'string' ? storable(one) : one))
}
