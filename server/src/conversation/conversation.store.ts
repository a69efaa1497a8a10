import type { TicketStatus } from '../connectors/connector.ts'
import { type Executor, isLockTimeout } from '../database/pool.ts'
import { newUuid } from '../ids.ts'
import { attachmentJson, type NewAttachmentRow } from './attachment-row.ts'
import type { Actor } from './conversation.ts'
import type { PromisedRow } from './delivery-row.ts'
import type { People } from './promises.ts'
import type { Author } from './visible.ts'

export type LockedTicket = { status: TicketStatus; requesterEmail: string; addressProven: boolean }

/** Locks a ticket, so that what is said on it and its status go one after the other. Null: there is none. */
export async function lockTicket(
  tx: Executor,
  brandId: string,
  ticketId: string,
): Promise<LockedTicket | null> {
  const [row] = await tx<LockedTicket[]>`
    SELECT status, requester_email AS "requesterEmail", address_proven AS "addressProven"
    FROM tickets WHERE brand_id = ${brandId} AND id = ${ticketId} FOR UPDATE`
  return row ?? null
}

/** Did it give up waiting for somebody who is at work on the same ticket? The database itself is well. */
export function isTicketHeld(error: unknown): boolean {
  const { where } = error as { where?: unknown }
  return isLockTimeout(error) && typeof where === 'string' && where.includes('tickets')
}

/** Who hears an answer on a ticket. */
export async function readPeople(
  tx: Executor,
  brandId: string,
  ticketId: string,
  { requesterEmail, addressProven }: LockedTicket,
): Promise<People> {
  const rows = await tx<{ address: string }[]>`
    SELECT address FROM participants
    WHERE brand_id = ${brandId} AND ticket_id = ${ticketId} ORDER BY added_at, address`
  return {
    requester: { address: requesterEmail, proven: addressProven },
    participants: rows.map(({ address }) => address),
  }
}

/** The first message of a ticket: what no message tells of is written down with it. */
export async function readFirstMessage(tx: Executor, brandId: string, ticketId: string): Promise<string> {
  const [row] = await tx<{ id: string }[]>`
    SELECT id FROM messages WHERE brand_id = ${brandId} AND ticket_id = ${ticketId}
    ORDER BY created_at, id LIMIT 1`
  if (row === undefined) throw new Error('a ticket has no message')
  return row.id
}

export type NewMessageRow = {
  brandId: string
  ticketId: string
  messageId: string
  author: Author
  authorName: string | null
  authorAddress: string | null
  via: 'api' | 'desk' | 'mail' | 'command'
  body: string
  wholeText: string | null
  html: string | null
  automatic: boolean
  heldFor: string | null
  inboundMailId: string | null
  attachments: NewAttachmentRow[]
}

/**
 * Keeps a message with its attachments. Its time is the clock's and not the transaction's, which may have waited
 * long for the ticket: what is said later is later.
 */
export async function insertMessage(tx: Executor, message: NewMessageRow): Promise<Date> {
  const files = JSON.stringify(message.attachments.map(attachmentJson))
  const [row] = await tx<{ createdAt: Date }[]>`
    WITH message AS (
      INSERT INTO messages (brand_id, id, ticket_id, author, author_name, author_address, via, body, whole_text, html,
        automatic, held_for, inbound_mail_id, created_at)
      VALUES (${message.brandId}, ${message.messageId}, ${message.ticketId}, ${message.author}, ${message.authorName},
        ${message.authorAddress}, ${message.via}, ${message.body}, ${message.wholeText}, ${message.html},
        ${message.automatic}, ${message.heldFor}, ${message.inboundMailId}, clock_timestamp())
      RETURNING created_at
    ),
    file AS MATERIALIZED (
      SELECT f.*, decode(f.digest, 'hex') AS sha256 FROM json_to_recordset(${files}::text::json)
        AS f(id uuid, filename text, declared_type text, detected_type text, digest text, size bigint)
    ),
    blob AS (
      INSERT INTO blobs (sha256, size) SELECT DISTINCT ON (sha256) sha256, size FROM file ORDER BY sha256
      ON CONFLICT (sha256) DO UPDATE SET size = excluded.size
    ),
    attachment AS (
      INSERT INTO attachments (brand_id, id, message_id, filename, declared_type, detected_type, sha256)
      SELECT ${message.brandId}, id, ${message.messageId}::uuid, filename, declared_type, detected_type, sha256
      FROM file
    )
    SELECT created_at AS "createdAt" FROM message`
  if (row === undefined) throw new Error('a message was kept and is not there')
  return row.createdAt
}

export type Entry = { action: string; messageId: string | null; status: TicketStatus | null }

/** What follows of something that was said or done on a ticket that is locked. */
export type Consequences = Actor & {
  brandId: string
  ticketId: string
  /** What the ticket's status is from now on, where a customer can see that it moved; null: nothing moves. */
  moved: TicketStatus | null
  deliveries: PromisedRow[]
  entries: Entry[]
  inboundMailId: string | null
}

/**
 * Writes down what follows. `updated_at` always moves, also where two things happen within a microsecond, and
 * never backwards; `solved_at` goes with the status.
 */
export async function writeConsequences(tx: Executor, what: Consequences): Promise<void> {
  const { brandId, ticketId, moved } = what
  const deliveries = JSON.stringify(
    what.deliveries.map((row) => ({
      id: row.deliveryId,
      message_id: row.messageId,
      side: row.side,
      kind: row.kind,
      recipient: row.recipient,
      status: row.status,
      connector: row.connector,
      mail_message_id: row.mailMessageId,
      state: row.state,
    })),
  )
  // Entries are read in the order of their ids.
  const entries = JSON.stringify(
    what.entries.map(({ action, messageId, status }) => ({
      id: newUuid(),
      action,
      message_id: messageId,
      status,
    })),
  )
  await tx`
    WITH moved AS (
      UPDATE tickets SET
        status = ${moved}::text,
        updated_at = greatest(clock_timestamp(), updated_at + interval '1 microsecond'),
        solved_at = ${solvedAt(tx, tx`${moved}::text`)}
      WHERE brand_id = ${brandId} AND id = ${ticketId} AND ${moved !== null}
    ),
    delivery AS (
      INSERT INTO deliveries
        (brand_id, id, message_id, side, kind, recipient, status, connector, mail_message_id, state, finished_at)
      SELECT ${brandId}, id, message_id, side, kind, recipient, status, connector, mail_message_id, state,
        CASE state WHEN 'delivered' THEN now() END
      FROM json_to_recordset(${deliveries}::text::json) AS d(id uuid, message_id uuid, side text, kind text,
        recipient text, status text, connector text, mail_message_id text, state text)
    )
    INSERT INTO audit_entries (brand_id, id, actor, actor_id, action, ticket_id, message_id, status, inbound_mail_id)
    SELECT ${brandId}, id, ${what.actor}, ${what.actorId}, action, ${ticketId}::uuid, message_id, status,
      ${what.inboundMailId}::uuid
    FROM json_to_recordset(${entries}::text::json) AS e(id uuid, action text, message_id uuid, status text)`
}

/** A ticket is solved since it became so, and stays it when it is closed. */
function solvedAt(tx: Executor, status: ReturnType<Executor>) {
  return tx`CASE
    WHEN ${status} = 'solved' AND tickets.status = 'solved' THEN solved_at
    WHEN ${status} = 'solved' THEN now()
    WHEN ${status} = 'closed' THEN coalesce(solved_at, now()) END`
}

export type HeldMessage = {
  author: Author
  automatic: boolean
  authorAddress: string | null
  inboundMailId: string | null
}

/** Which ticket a message is on; null: there is no such message. */
export async function readTicketOf(tx: Executor, brandId: string, messageId: string): Promise<string | null> {
  const [row] = await tx<{ ticketId: string }[]>`
    SELECT ticket_id AS "ticketId" FROM messages WHERE brand_id = ${brandId} AND id = ${messageId}`
  return row?.ticketId ?? null
}

/** Holds a message no longer. @returns the message; null where it is not held */
export async function unhold(tx: Executor, brandId: string, messageId: string): Promise<HeldMessage | null> {
  const [row] = await tx<HeldMessage[]>`
    UPDATE messages SET held_for = NULL
    WHERE brand_id = ${brandId} AND id = ${messageId} AND held_for IS NOT NULL
    RETURNING author, automatic, author_address AS "authorAddress", inbound_mail_id AS "inboundMailId"`
  return row ?? null
}
