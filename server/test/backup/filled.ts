import { hash, randomBytes } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { expect } from 'vitest'
import { noProgress } from '../../src/backup/progress.ts'
import { type Restored, restore } from '../../src/backup/restore.ts'
import { type Backup, writeBackup } from '../../src/backup/write-backup.ts'
import { readInstallation } from '../../src/blobs/blob.store.ts'
import type { BlobFolder } from '../../src/blobs/blob-folder.ts'
import type { DatabaseEndpoint, Sql } from '../../src/database/pool.ts'
import { newUuid } from '../../src/ids.ts'
import { MIGRATIONS } from '../database/test-database.ts'

/** What COPY's text format escapes, and what looks like it. */
export const AWKWARD = [
  'a\ttab',
  'a\\backslash',
  '\\N',
  '\\.',
  '\n\\.\n',
  'two\nlines\r\nand\ra third',
  '\u0001\b\f\v\u007f',
  '\u{1f600} e\u0301 \u2028 \ufeff \uffff',
  '',
  ' ',
  '\\x00 \\\\ \\t "quoted" \'too\' $$ %s',
]

const STATES = ['pending', 'delivered', 'rejected', 'dead'] as const
const SETTLED = [null, 'reply', 'quarantined', 'duplicate'] as const

/** Rows in every table, with every awkward text in every column that takes one, and a blob for each. */
export async function fillDatabase(sql: Sql, blobs: BlobFolder): Promise<void> {
  await takeFolder(sql, blobs)
  for (const [index, text] of AWKWARD.entries()) {
    const [ticket, message, delivery] = [newUuid(), newUuid(), newUuid()]
    const brand = index % 2 === 0 ? 'acme' : 'globex'
    const bytes = Buffer.concat([Buffer.from(text), randomBytes(index * 1000)])
    const sha256 = await putBlob(sql, blobs, bytes)
    const digest = Buffer.from(hash('sha256', ticket), 'hex')
    const state = STATES[index % STATES.length] ?? 'pending'
    await sql`INSERT INTO tickets (brand_id, id, issuer, person_id, requester_email, requester_name, subject)
      VALUES (${brand}, ${ticket}, ${text}, ${text}, ${text}, ${index % 3 === 0 ? null : text}, ${text})`
    await sql`INSERT INTO messages (brand_id, id, ticket_id, author, body)
      VALUES (${brand}, ${message}, ${ticket}, 'customer', ${text})`
    await sql`INSERT INTO attachments (brand_id, id, message_id, filename, declared_type, sha256)
      VALUES (${brand}, ${newUuid()}, ${message}, ${text}, ${text}, ${sha256})`
    await sql`INSERT INTO deliveries (brand_id, id, message_id, connector, mail_message_id, state, attempts, finished_at)
      VALUES (${brand}, ${delivery}, ${message}, 'smtp', ${text}, ${state}, 1, ${state === 'pending' ? null : new Date()})`
    await sql`INSERT INTO attempts (brand_id, delivery_id, number, outcome, code, locked_by, duration_ms)
      VALUES (${brand}, ${delivery}, 1, 'retry', ${text}, ${text}, ${index})`
    await sql`INSERT INTO attempt_answers (brand_id, delivery_id, number, answer)
      VALUES (${brand}, ${delivery}, 1, ${text})`
    await sql`INSERT INTO idempotency_keys (brand_id, digest, request_hash, message_id, expires_at)
      VALUES (${brand}, ${digest}, ${digest}, ${message}, now() + interval '1 day')`
    await sql`INSERT INTO audit_entries (brand_id, id, actor, actor_id, action, ticket_id)
      VALUES (${brand}, ${newUuid()}, 'client', ${text}, ${text}, ${ticket})`
    await fillConversation(sql, blobs, { brand, ticket, text, index })
  }
}

/** What was said later on a ticket, and the mails that came, each state of them. */
async function fillConversation(
  sql: Sql,
  blobs: BlobFolder,
  { brand, ticket, text, index }: { brand: string; ticket: string; text: string; index: number },
): Promise<void> {
  const [mail, message] = [newUuid(), newUuid()]
  const settled = SETTLED[index % SETTLED.length] ?? null
  const isSettled = settled !== null
  const raw = Buffer.concat([Buffer.from(`Subject: ${text}\r\n\r\n`), randomBytes(index * 100)])
  const sha256 = index % 5 === 4 ? null : await putBlob(sql, blobs, raw)
  await sql`INSERT INTO messages (brand_id, id, ticket_id, author, author_name, author_address, via, body, whole_text,
      html, automatic, held_for, inbound_mail_id)
    VALUES (${brand}, ${message}, ${ticket}, 'agent', ${text}, ${text}, 'mail', ${text}, ${text}, ${text},
      ${index % 2 === 0}, ${index % 3 === 0 ? text : null}, ${mail})`
  await sql`INSERT INTO deliveries (brand_id, id, message_id, side, kind, recipient, connector, state, finished_at,
      bounced_at, bounce_code)
    VALUES (${brand}, ${newUuid()}, ${message}, 'customer', 'notice', ${text}, 'mail', 'delivered', now(), now(), ${text})`
  await sql`INSERT INTO participants (brand_id, ticket_id, address, name)
    VALUES (${brand}, ${ticket}, ${text}, ${index % 2 === 0 ? null : text})`
  await sql`INSERT INTO bounced_addresses (brand_id, address, code) VALUES (${brand}, ${text}, ${text})`
  await sql`INSERT INTO inbound_mails (brand_id, id, way, sha256, size, request_digest, state, attempts, settled_as,
      reason, settled_at, mail_message_id, author_address, authenticated, fingerprint, ticket_id, message_id)
    VALUES (${brand}, ${mail}, 'http', ${sha256}, ${raw.length}, ${Buffer.from(hash('sha256', mail), 'hex')},
      ${isSettled ? 'settled' : 'received'}, ${index}, ${settled}, ${isSettled ? text : null},
      ${isSettled ? new Date() : null}, ${text}, ${text}, ${isSettled}, ${Buffer.from(hash('sha256', raw), 'hex')},
      ${settled === 'reply' ? ticket : null}, ${settled === 'reply' ? message : null})`
  await sql`INSERT INTO imap_cursors (brand_id, mailbox, uid_validity, last_uid)
    VALUES (${brand}, ${text}, ${2 ** 32 - 1}, ${index})`
}

/** So many delivered tickets, and so many blobs that the first of them name. */
export async function fillInBulk(sql: Sql, blobs: BlobFolder, tickets: number, files: number): Promise<void> {
  await takeFolder(sql, blobs)
  await sql`
    WITH made AS (SELECT gen_random_uuid() AS ticket, gen_random_uuid() AS message FROM generate_series(1, ${tickets})),
    ticket AS (
      INSERT INTO tickets (brand_id, id, issuer, person_id, requester_email, subject)
      SELECT 'acme', ticket, 'https://login.acme.example', 'per_ada', 'ada@example.com', 'My order' FROM made
    ),
    message AS (
      INSERT INTO messages (brand_id, id, ticket_id, author, body)
      SELECT 'acme', message, ticket, 'customer', repeat(md5(message::text), 16) FROM made
    ),
    delivery AS (
      INSERT INTO deliveries (brand_id, id, message_id, connector, state, attempts, finished_at)
      SELECT 'acme', message, message, 'smtp', 'delivered', 1, now() FROM made
    ),
    attempt AS (
      INSERT INTO attempts (brand_id, delivery_id, number, outcome, code, locked_by)
      SELECT 'acme', message, 1, 'delivered', 'smtp_250', 'somebody' FROM made
    )
    INSERT INTO audit_entries (brand_id, id, actor, action, ticket_id)
    SELECT 'acme', message, 'person', 'ticket.created', ticket FROM made`
  const messages = await sql<{ id: string }[]>`SELECT id FROM messages LIMIT ${files}`
  for (const { id } of messages) {
    const sha256 = await putBlob(sql, blobs, randomBytes(20_000))
    await sql`INSERT INTO attachments (brand_id, id, message_id, filename, sha256)
      VALUES ('acme', ${newUuid()}, ${id}, 'a.bin', ${sha256})`
  }
}

/** As a worker does at its start. */
async function takeFolder(sql: Sql, blobs: BlobFolder): Promise<void> {
  expect(await blobs.belongsTo(await readInstallation(sql))).toBe(true)
}

/** @returns its SHA-256 */
export async function putBlob(sql: Sql, blobs: BlobFolder, bytes: Buffer): Promise<Buffer> {
  const name = hash('sha256', bytes)
  await blobs.put(name, bytes)
  const sha256 = Buffer.from(name, 'hex')
  await sql`INSERT INTO blobs (sha256, size) VALUES (${sha256}, ${bytes.length}) ON CONFLICT DO NOTHING`
  return sha256
}

/** Names of all tables but the migrations' own. */
export async function tablesOf(sql: Sql): Promise<string[]> {
  const rows = await sql<{ name: string }[]>`
    SELECT relname AS name FROM pg_class
    WHERE relnamespace = 'public'::regnamespace AND relkind = 'r' AND relname <> 'schema_migrations' ORDER BY 1`
  return rows.map(({ name }) => name)
}

/**
 * Every row of every table, as PostgreSQL writes it, without what is the cluster's own: in which of its transactions
 * an audit entry was written.
 */
export async function rowsOf(sql: Sql): Promise<Record<string, string[]>> {
  const all: Record<string, string[]> = {}
  for (const table of await tablesOf(sql)) {
    const rows = await sql<{ row: string }[]>`
      SELECT (to_jsonb(t) - 'xid')::text AS row FROM ${sql(table)} t ORDER BY 1`
    all[table] = rows.map(({ row }) => row)
  }
  return all
}

type Where = { endpoint: DatabaseEndpoint; blobs: BlobFolder; file: string; migrations?: string }

const never = () => new AbortController().signal

export function backUpTo({ migrations = MIGRATIONS, ...where }: Where): Promise<Backup> {
  return writeBackup({ ...where, migrations, signal: never() })
}

export function bringBack(
  { file, migrations = MIGRATIONS, sameAttachments = false, ...where }: Where & { sameAttachments?: boolean },
  hold = false,
): Promise<Restored> {
  const source = createReadStream(file)
  const options = { migrations, hold, sameAttachments, progress: noProgress, signal: never() }
  return restore({ ...where, source, ...options })
}
