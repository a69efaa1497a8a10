import type { DeliveryKind, Side, TicketStatus } from '../connectors/connector.ts'
import type { Executor } from '../database/pool.ts'
import { visibleToCustomer } from './visible.ts'

/** A ticket as an operator sees it. Ids are UUIDs. */
export type TicketLine = {
  brandId: string
  ticketId: string
  via: 'api' | 'mail'
  issuer: string | null
  personId: string | null
  requesterEmail: string
  requesterName: string | null
  addressProven: boolean
  subject: string
  status: TicketStatus
  createdAt: Date
  updatedAt: Date
}

function columns(sql: Executor) {
  return sql`t.brand_id AS "brandId", t.id AS "ticketId", t.via, t.issuer, t.person_id AS "personId",
    t.requester_email AS "requesterEmail", t.requester_name AS "requesterName",
    t.address_proven AS "addressProven", t.subject, t.status, t.created_at AS "createdAt",
    t.updated_at AS "updatedAt"`
}

/** The keys lead with the brand: the brands are hopped along their index, so that no table is read through. */
function brandsOf(sql: Executor, table: 'tickets' | 'messages') {
  return sql`
    WITH RECURSIVE brand AS (
      (SELECT brand_id FROM ${sql(table)} ORDER BY brand_id LIMIT 1)
      UNION ALL
      SELECT (SELECT min(brand_id) FROM ${sql(table)} WHERE brand_id > brand.brand_id) FROM brand
      WHERE brand.brand_id IS NOT NULL
    )`
}

/** A ticket by its id alone. */
export async function findTicket(sql: Executor, ticketId: string): Promise<TicketLine | null> {
  const [row] = await sql<TicketLine[]>`
    ${brandsOf(sql, 'tickets')}
    SELECT ${columns(sql)} FROM tickets t
    WHERE t.id = ${ticketId} AND t.brand_id IN (SELECT brand_id FROM brand)`
  return row ?? null
}

export type FoundMessage = { brandId: string; ticketId: string; body: string; heldFor: string | null }

/** A message by its id alone. */
export async function findMessage(sql: Executor, messageId: string): Promise<FoundMessage | null> {
  const [row] = await sql<FoundMessage[]>`
    ${brandsOf(sql, 'messages')}
    SELECT brand_id AS "brandId", ticket_id AS "ticketId", body, held_for AS "heldFor" FROM messages
    WHERE id = ${messageId} AND brand_id IN (SELECT brand_id FROM brand)`
  return row ?? null
}

export type ListedTicket = TicketLine & {
  /** Who said the last thing that a customer may see. */
  lastAuthor: string | null
  /** Messages that wait for an operator. */
  held: number
}

export type TicketFilter = { statuses: TicketStatus[]; brandId: string | null; limit: number }

/** Tickets, those that moved last first. This reads the table of tickets. */
export async function listTickets(sql: Executor, filter: TicketFilter): Promise<ListedTicket[]> {
  return sql<ListedTicket[]>`
    SELECT ${columns(sql)},
      (SELECT m.author FROM messages m
        WHERE m.brand_id = t.brand_id AND m.ticket_id = t.id AND ${visibleToCustomer(sql)}
        ORDER BY m.created_at DESC, m.id DESC LIMIT 1) AS "lastAuthor",
      (SELECT count(*)::float8 FROM messages m
        WHERE m.brand_id = t.brand_id AND m.ticket_id = t.id AND m.held_for IS NOT NULL) AS held
    FROM (
      SELECT * FROM tickets
      WHERE status IN ${sql(filter.statuses)} AND (${filter.brandId}::text IS NULL OR brand_id = ${filter.brandId})
      ORDER BY updated_at DESC, id DESC LIMIT ${filter.limit}
    ) t
    ORDER BY t.updated_at DESC, t.id DESC`
}

export type StoryMessage = {
  messageId: string
  author: 'customer' | 'agent' | 'participant' | 'system' | 'note'
  authorName: string | null
  authorAddress: string | null
  via: string
  body: string
  /** Of a mail: all of its text. */
  wholeText: string | null
  automatic: boolean
  heldFor: string | null
  inboundMailId: string | null
  createdAt: Date
}

export type StoryFile = {
  messageId: string
  attachmentId: string
  filename: string
  contentType: string | null
  size: number
}

export type StoryDelivery = {
  messageId: string
  deliveryId: string
  side: Side
  kind: DeliveryKind
  recipient: string | null
  state: string
  attempts: number
  lastCode: string | null
  lastAttemptAt: Date | null
  bouncedAt: Date | null
  bounceCode: string | null
}

export type StoryMail = {
  mailId: string
  way: string
  receivedAt: Date
  settledAs: string | null
  reason: string | null
  authorAddress: string | null
  authenticated: boolean | null
  /** What an operator did about a quarantined one, or the sweep. */
  resolution: 'released' | 'discarded' | null
}

export type StoryEntry = {
  at: Date
  actor: string
  actorId: string | null
  action: string
  status: string | null
  messageId: string | null
}

/** Everything that is kept of one ticket, in the order in which it happened. */
export type Story = {
  messages: StoryMessage[]
  files: StoryFile[]
  deliveries: StoryDelivery[]
  participants: { address: string; name: string | null }[]
  /** Addresses of its people that refused mail for good. */
  bounced: { address: string; code: string; bouncedAt: Date }[]
  mails: StoryMail[]
  entries: StoryEntry[]
}

/** @param address of its requester, as `comparableAddress` writes it */
export async function readStory(
  sql: Executor,
  { brandId, ticketId }: Pick<TicketLine, 'brandId' | 'ticketId'>,
  address: string,
): Promise<Story> {
  const messages = await sql<StoryMessage[]>`
    SELECT id AS "messageId", author, author_name AS "authorName", author_address AS "authorAddress", via, body,
      whole_text AS "wholeText", automatic, held_for AS "heldFor", inbound_mail_id AS "inboundMailId",
      created_at AS "createdAt"
    FROM messages WHERE brand_id = ${brandId} AND ticket_id = ${ticketId} ORDER BY created_at, id`
  const files = await sql<StoryFile[]>`
    SELECT a.message_id AS "messageId", a.id AS "attachmentId", a.filename,
      coalesce(a.declared_type, a.detected_type) AS "contentType", b.size::float8 AS size
    FROM messages m
    JOIN attachments a ON a.brand_id = m.brand_id AND a.message_id = m.id
    JOIN blobs b ON b.sha256 = a.sha256
    WHERE m.brand_id = ${brandId} AND m.ticket_id = ${ticketId} ORDER BY a.id`
  const deliveries = await sql<StoryDelivery[]>`
    SELECT d.message_id AS "messageId", d.id AS "deliveryId", d.side, d.kind, d.recipient, d.state, d.attempts,
      last.code AS "lastCode", last.ended_at AS "lastAttemptAt", d.bounced_at AS "bouncedAt",
      d.bounce_code AS "bounceCode"
    FROM messages m
    JOIN deliveries d ON d.brand_id = m.brand_id AND d.message_id = m.id
    LEFT JOIN LATERAL (
      SELECT code, ended_at FROM attempts a WHERE a.brand_id = d.brand_id AND a.delivery_id = d.id
      ORDER BY number DESC LIMIT 1
    ) last ON true
    WHERE m.brand_id = ${brandId} AND m.ticket_id = ${ticketId} ORDER BY d.id`
  const participants = await sql<Story['participants']>`
    SELECT address, name FROM participants WHERE brand_id = ${brandId} AND ticket_id = ${ticketId}
    ORDER BY added_at, address`
  const people = [address, ...participants.map((one) => one.address)]
  const bounced = await sql<Story['bounced']>`
    SELECT address, code, bounced_at AS "bouncedAt" FROM bounced_addresses
    WHERE brand_id = ${brandId} AND address IN (SELECT json_array_elements_text(${JSON.stringify(people)}::text::json))
    ORDER BY address`
  const mailIds = JSON.stringify(messages.flatMap((message) => message.inboundMailId ?? []))
  // What is on the ticket names its mail; only a mail that is not, a bounce say, names the ticket alone.
  const mails = await sql<StoryMail[]>`
    SELECT i.id AS "mailId", i.way, i.received_at AS "receivedAt", i.settled_as AS "settledAs", i.reason,
      i.author_address AS "authorAddress", i.authenticated, i.resolution
    FROM inbound_mails i
    WHERE i.brand_id = ${brandId} AND i.id IN (
      SELECT json_array_elements_text(${mailIds}::text::json)::uuid
      UNION
      SELECT id FROM inbound_mails
      WHERE brand_id = ${brandId} AND ticket_id = ${ticketId} AND settled_as = 'quarantined'
      UNION
      SELECT inbound_mail_id FROM audit_entries
      WHERE brand_id = ${brandId} AND ticket_id = ${ticketId} AND inbound_mail_id IS NOT NULL)
    ORDER BY i.received_at, i.id`
  const entries = await sql<StoryEntry[]>`
    SELECT at, actor, actor_id AS "actorId", action, status, message_id AS "messageId" FROM audit_entries
    WHERE brand_id = ${brandId} AND ticket_id = ${ticketId} ORDER BY at, id`
  return { messages, files, deliveries, participants, bounced, mails, entries }
}

/** What a message is carried to, as it was promised. */
export async function readPromised(
  sql: Executor,
  brandId: string,
  messageId: string,
): Promise<PromisedDelivery[]> {
  return sql<PromisedDelivery[]>`
    SELECT d.id AS "deliveryId", d.side, d.kind, d.recipient, d.state,
      d.side = 'customer' AND EXISTS (
        SELECT FROM bounced_addresses b WHERE b.brand_id = d.brand_id AND b.address = d.recipient) AS refused
    FROM deliveries d
    WHERE d.brand_id = ${brandId} AND d.message_id = ${messageId} AND d.kind <> 'status' ORDER BY d.id`
}

/** `refused`: its address refused mail for good, and nothing will be sent there. */
export type PromisedDelivery = Pick<StoryDelivery, 'deliveryId' | 'side' | 'kind' | 'recipient' | 'state'> & {
  refused: boolean
}
