import type { Brand } from '../../src/config.ts'
import type { Connector } from '../../src/connectors/connector.ts'
import { createConnector } from '../../src/connectors/registry.ts'
import type { ConversationDeps } from '../../src/conversation/conversation.ts'
import type { Said } from '../../src/conversation/say.ts'
import type { Executor, Sql } from '../../src/database/pool.ts'
import { newUuid } from '../../src/ids.ts'
import { brandOf } from '../bellhop.ts'
import { createTestDatabase, type TestDatabase } from '../database/test-database.ts'
import { smtpDesk } from '../deliveries/mail-desk.ts'

export const ISSUER = { url: 'https://login.acme.example' }
export const MAIL = {
  url: 'smtp://127.0.0.1:9',
  from: { name: 'Acme', address: 'support@acme.example' },
  dkim: null,
}
export const SECRET = `whsec_${Buffer.alloc(24, 7).toString('base64')}`

/** Brands of each kind of desk; `through` and `hook` send mail to their customers. Nothing is sent in these tests. */
export const BRANDS: Brand[] = [
  brandOf('inbox', ISSUER),
  brandOf('through', ISSUER, { desk: { ...smtpDesk(9), conversation: 'through' }, mail: MAIL }),
  brandOf('hook', ISSUER, {
    desk: { connector: 'webhook', url: 'http://127.0.0.1:9/', secret: SECRET },
    mail: MAIL,
  }),
]

export type Opened = { brandId: string; ticketId: string; messageId: string }

export type Scene = {
  database: TestDatabase
  sql: Sql
  deps: ConversationDeps
  /** A ticket of Ada's with its first message, unless said otherwise. */
  open(brandId: string, ticket?: { proven?: boolean; status?: string; email?: string }): Promise<Opened>
  stop(): Promise<void>
}

export async function setScene(): Promise<Scene> {
  const database = await createTestDatabase()
  const { sql } = database
  const connectors = new Map(
    BRANDS.map((brand): [string, Connector] => [brand.id, createConnector(brand, { now: Date.now })]),
  )
  return {
    database,
    sql,
    deps: {
      brands: new Map(BRANDS.map((brand) => [brand.id, brand])),
      connectorOf(brandId) {
        const connector = connectors.get(brandId)
        if (connector === undefined) throw new Error('no such brand')
        return connector
      },
    },
    async open(brandId, { proven = true, status = 'open', email = 'ada@example.com' } = {}) {
      const opened = { brandId, ticketId: newUuid(), messageId: newUuid() }
      await sql.begin(async (tx) => {
        await tx`
          INSERT INTO tickets
            (brand_id, id, issuer, person_id, requester_email, requester_name, address_proven, subject, status, solved_at)
          VALUES (${brandId}, ${opened.ticketId}, ${ISSUER.url}, 'per_ada', ${email}, 'Ada', ${proven},
            'It does not work', ${status}, ${status === 'solved' || status === 'closed' ? new Date() : null})`
        await tx`
          INSERT INTO messages (brand_id, id, ticket_id, author, body)
          VALUES (${brandId}, ${opened.messageId}, ${opened.ticketId}, 'customer', 'It does not work.')`
      })
      return opened
    },
    async stop() {
      for (const connector of connectors.values()) await connector.close()
      await database.stop()
    },
  }
}

/** Something that the customer says, unless said otherwise. */
export function said({ brandId, ticketId }: Opened, what: Partial<Said> = {}): Said {
  return {
    brandId,
    ticketId,
    messageId: newUuid(),
    author: 'customer',
    authorName: null,
    authorAddress: null,
    via: 'api',
    body: 'And another thing.',
    wholeText: null,
    html: null,
    automatic: false,
    heldFor: null,
    inboundMailId: null,
    attachments: [],
    actor: 'person',
    actorId: null,
    ...what,
  }
}

export const answer = (opened: Opened, what: Partial<Said> = {}): Said =>
  said(opened, {
    author: 'agent',
    authorName: 'Grace',
    via: 'desk',
    actor: 'desk',
    body: 'Try again.',
    ...what,
  })

export const note = (opened: Opened, what: Partial<Said> = {}): Said =>
  answer(opened, { author: 'note', ...what })

export type TicketState = { status: string; updated_at: string; solved: boolean }

/** Times are text, since a Date has no microseconds. */
export async function ticketOf(sql: Executor, { ticketId }: Opened): Promise<TicketState> {
  const [row] = await sql<TicketState[]>`
    SELECT status, updated_at::text, solved_at IS NOT NULL AS solved FROM tickets WHERE id = ${ticketId}`
  if (row === undefined) throw new Error('no ticket')
  return row
}

/** `customer message ada@example.com`, in the order of the alphabet. */
export async function deliveriesOf(sql: Executor, { ticketId }: Opened): Promise<string[]> {
  const rows = await sql<{ line: string }[]>`
    SELECT concat_ws(' ', d.side, d.kind, d.recipient, d.status) AS line
    FROM deliveries d JOIN messages m ON m.brand_id = d.brand_id AND m.id = d.message_id
    WHERE m.ticket_id = ${ticketId} ORDER BY line`
  return rows.map(({ line }) => line)
}

/** `desk message.created`, in the order they were written. */
export async function entriesOf(sql: Executor, { ticketId }: Opened): Promise<string[]> {
  const rows = await sql<{ line: string }[]>`
    SELECT concat_ws(' ', actor, actor_id, action, status) AS line FROM audit_entries
    WHERE ticket_id = ${ticketId} ORDER BY xid, id`
  return rows.map(({ line }) => line)
}
