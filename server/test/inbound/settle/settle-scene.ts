import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { BlobFolder } from '../../../src/blobs/blob-folder.ts'
import type { Brand } from '../../../src/config.ts'
import type { Connector } from '../../../src/connectors/connector.ts'
import { createConnector } from '../../../src/connectors/registry.ts'
import type { ConversationDeps } from '../../../src/conversation/conversation.ts'
import { type Said, say } from '../../../src/conversation/say.ts'
import type { Sql } from '../../../src/database/pool.ts'
import { newUuid } from '../../../src/ids.ts'
import { MailKeeper } from '../../../src/inbound/keep-mail.ts'
import { listQuarantine, type MailLine, readMailLine } from '../../../src/inbound/quarantine.store.ts'
import type { Resolve } from '../../../src/inbound/reading/authentication.ts'
import { createReadingPool, type ReadingPool } from '../../../src/inbound/reading/reading-pool.ts'
import { claimMails } from '../../../src/inbound/settle.store.ts'
import { type Settled, type SettleMailDeps, settleMail } from '../../../src/inbound/settle-mail.ts'
import { type ReplySide, signReplyAddress } from '../../../src/mail/reply-address.ts'
import { brandOf } from '../../bellhop.ts'
import { createTestDatabase, type TestDatabase } from '../../database/test-database.ts'
import { smtpDesk } from '../../deliveries/mail-desk.ts'
import { AUTHSERV } from './an-email.ts'

const ISSUER = { url: 'https://login.acme.example' }

/** `acme` answers through us from its mailbox; `globex` from the inbox. Nothing is sent in these tests. */
export const BRANDS = [
  mailBrand('acme', {
    desk: {
      ...smtpDesk(9),
      conversation: 'through',
      agents: ['grace@acme.example', '@help.acme.example'],
    },
  }),
  mailBrand('globex', {}),
]

function mailBrand(id: string, settings: Partial<Brand>): Brand {
  return brandOf(id, ISSUER, {
    mail: { url: 'smtp://127.0.0.1:9', from: { name: id, address: `support@${id}.example` }, dkim: null },
    reply: { local: 'support', domain: `${id}.example`, keys: [Buffer.alloc(32, id)] },
    inbound: { imap: null, secret: null, trustedAuthservIds: [AUTHSERV], acceptNew: true },
    acknowledge: 'verified',
    ...settings,
  })
}

export type OpenedTicket = { brandId: string; ticketId: string; messageId: string }

export type SettleScene = {
  database: TestDatabase
  sql: Sql
  blobs: BlobFolder
  conversation: ConversationDeps
  deps: SettleMailDeps
  /** A ticket of Ada's by the API, unless told otherwise. */
  open(brandId: string, ticket?: { email?: string; status?: string }): Promise<OpenedTicket>
  /** An agent answers it. @returns the mail to the requester: its delivery, and its Message-ID */
  answer(ticket: OpenedTicket, what?: Partial<Said>): Promise<{ deliveryId: string; mailMessageId: string }>
  /** A mail comes. @returns its id */
  bring(brandId: string, raw: Buffer): Promise<string>
  /** Settles the oldest mail that waits. */
  settleNext(): Promise<Settled>
  /** A mail comes and is settled. */
  take(brandId: string, raw: Buffer): Promise<MailLine>
  line(mailId: string): Promise<MailLine>
  stop(): Promise<void>
}

export type SceneOptions = { resolve?: Resolve; brands?: Brand[]; reading?: Pick<ReadingPool, 'read'> }

export async function setSettleScene(options: SceneOptions = {}): Promise<SettleScene> {
  const { resolve = nothingThere, brands = BRANDS } = options
  const database = await createTestDatabase()
  const { sql } = database
  const folder = await mkdtemp(join(tmpdir(), 'bellhop-test-'))
  const blobs = new BlobFolder(folder)
  const reading = createReadingPool({ resolve })
  const keeper = new MailKeeper({ database: database.database, blobs })
  const connectors = new Map(
    brands.map((brand): [string, Connector] => [brand.id, createConnector(brand, { now: Date.now })]),
  )
  const conversation: ConversationDeps = {
    brands: new Map(brands.map((brand) => [brand.id, brand])),
    connectorOf(brandId) {
      const connector = connectors.get(brandId)
      if (connector === undefined) throw new Error('no such brand')
      return connector
    },
  }
  const deps: SettleMailDeps = {
    conversation,
    database: database.database,
    blobs,
    reading: options.reading ?? reading,
    holder: 'test',
    textBytes: 2 * 1024 * 1024,
    pass: () => {},
  }

  const scene: SettleScene = {
    database,
    sql,
    blobs,
    conversation,
    deps,
    async open(brandId, { email = 'ada@example.com', status = 'open' } = {}) {
      const opened = { brandId, ticketId: newUuid(), messageId: newUuid() }
      const solvedAt = status === 'closed' || status === 'solved' ? new Date() : null
      await sql.begin(async (tx) => {
        await tx`
          INSERT INTO tickets
            (brand_id, id, issuer, person_id, requester_email, requester_name, address_proven, subject, status, solved_at)
          VALUES (${brandId}, ${opened.ticketId}, ${ISSUER.url}, 'per_ada', ${email}, 'Ada', true, 'My order',
            ${status}, ${solvedAt})`
        await tx`
          INSERT INTO messages (brand_id, id, ticket_id, author, body)
          VALUES (${brandId}, ${opened.messageId}, ${opened.ticketId}, 'customer', 'Where is it?')`
      })
      return opened
    },
    async answer({ brandId, ticketId }, what = {}) {
      const { deliveryIds } = await sql.begin((tx) =>
        say(tx, conversation, { ...ANSWER, brandId, ticketId, messageId: newUuid(), ...what }),
      )
      const [row] = await sql<{ deliveryId: string; mailMessageId: string }[]>`
        UPDATE deliveries SET state = 'delivered', finished_at = now() WHERE id = ${deliveryIds[0] ?? ''}
        RETURNING id AS "deliveryId", mail_message_id AS "mailMessageId"`
      if (row === undefined) throw new Error('nobody is mailed')
      return row
    },
    async bring(brandId, raw) {
      return (await keeper.keep({ brandId, way: 'http', raw, requestDigest: null })).mailId
    },
    async settleNext() {
      const [claimed] = await claimMails(sql, deps.holder, [...conversation.brands.keys()], 1)
      const brand = conversation.brands.get(claimed?.brandId ?? '')
      if (claimed === undefined || brand === undefined) throw new Error('no mail waits')
      // One that a busy machine did not read in time is read again, as the settler does it.
      for (let { failures } = claimed; ; failures++) {
        try {
          return await settleMail(deps, { ...claimed, failures }, brand)
        } catch (error) {
          if (!(error instanceof Error && error.name === 'NotReadInTime')) throw error
        }
      }
    },
    async take(brandId, raw) {
      const mailId = await scene.bring(brandId, raw)
      await scene.settleNext()
      return scene.line(mailId)
    },
    async line(mailId) {
      const line = await readMailLine(sql, mailId)
      if (line === null) throw new Error('no mail')
      return line
    },
    async stop() {
      await reading.close()
      for (const connector of connectors.values()) await connector.close()
      await database.stop()
      await rm(folder, { recursive: true, force: true })
    },
  }
  return scene
}

const ANSWER: Omit<Said, 'brandId' | 'ticketId' | 'messageId'> = {
  author: 'agent',
  authorName: 'Grace',
  authorAddress: null,
  via: 'desk',
  body: 'It is on its way.',
  wholeText: null,
  html: null,
  automatic: false,
  heldFor: null,
  inboundMailId: null,
  attachments: [],
  actor: 'desk',
  actorId: null,
}

/** The signed address of a ticket, as a mail of ours would have it. */
export function signed(
  { brandId, ticketId }: Pick<OpenedTicket, 'brandId' | 'ticketId'>,
  side: ReplySide = 'customer',
  recipient = 'ada@example.com',
): string {
  const reply = BRANDS.find(({ id }) => id === brandId)?.reply
  if (!reply) throw new Error('no reply address')
  return signReplyAddress(reply, { brandId, ticketId, side, recipient })
}

/** `quarantined stranger`, or what else it was settled as. */
export function endOf({ settledAs, reason }: MailLine): string {
  return reason === null ? `${settledAs}` : `${settledAs} ${reason}`
}

/** What is on a ticket beside its first message, as `customer: Yes.` */
export async function saidOn(sql: Sql, { ticketId }: Pick<OpenedTicket, 'ticketId'>): Promise<string[]> {
  const rows = await sql<{ line: string }[]>`
    SELECT author || CASE WHEN automatic THEN ' (automatic)' ELSE '' END
      || CASE WHEN held_for IS NULL THEN '' ELSE ' (' || held_for || ')' END || ': ' || body AS line
    FROM messages WHERE ticket_id = ${ticketId} ORDER BY created_at, id OFFSET 1`
  return rows.map(({ line }) => line)
}

export async function quarantineOf(sql: Sql): Promise<string[]> {
  return (await listQuarantine(sql, { brandId: null, limit: 1000 })).map(({ reason }) => reason ?? 'none')
}

async function nothingThere(): Promise<never> {
  throw Object.assign(new Error('nothing there'), { code: 'ENODATA' })
}
