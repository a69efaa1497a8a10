import type { Sql } from '../../server/src/database/pool.ts'
import { DEMO_ISSUER } from '../../server/src/demo.ts'
import { type SocketEndpoint, withSql } from './postgres.ts'

/**
 * A year of tickets in an empty database, made in bulk by SQL: eight brands of unlike size, bodies of about
 * 500 bytes, a delivery with its attempt, the desk's answer and an audit entry for each, attachments for some,
 * keys of the last day, and ids that are UUIDv7 of their times. Indexes and constraints are taken off before
 * and made again from the catalog.
 */

/** PostgreSQL's settings while it is filled. Nothing is lost where it breaks: the bench begins anew. */
export const FILLING: Record<string, string> = {
  fsync: 'off',
  full_page_writes: 'off',
  synchronous_commit: 'off',
  // What is written into a table that was emptied in the same transaction needs no log.
  wal_level: 'minimal',
  max_wal_senders: '0',
  max_wal_size: '16GB',
  checkpoint_timeout: '1h',
  autovacuum: 'off',
  shared_buffers: '1GB',
  maintenance_work_mem: '768MB',
  work_mem: '256MB',
  // A container's /dev/shm may hold 64 MiB, and many processors that make one index want more.
  dynamic_shared_memory_type: 'mmap',
}

/** Bytes of disk that a ticket takes with all of its rows and their places in the indexes, and some to spare. */
export const BYTES_PER_TICKET = 3000

/** Whose tickets they are. */
export const FILLED_BRANDS = [
  'acme',
  'globex',
  ...Array.from({ length: 6 }, (_, index) => `brand-${index + 1}`),
]

/** Persons, of whom the tickets are in turn, unless told otherwise: those whose tokens come back. */
export const PERSONS = 1000

/** At least so many are undelivered, and so many failed, else one in 200 of each: a list has a page to show. */
const LEAST = 100

type Table = { name: string; insert: string }

/** Stands in the statements for the number of persons. */
const COUNT_OF_PERSONS = '{persons}'

const TEXT = "It was due on Monday, and the page only says that it is on its way. ''Soon'' is all I hear. "

/** What fills each table from `filling`, which has a row for each ticket. */
const TABLES: Table[] = [
  {
    name: 'tickets',
    insert: `(brand_id, id, issuer, person_id, requester_email, requester_name, subject, status, solved_at, created_at, updated_at)
      SELECT brand, ticket, '${DEMO_ISSUER}', 'per_returning_' || i % ${COUNT_OF_PERSONS}, 'person.' || i % 400000 || '@example.com',
        'Ada Lovelace ' || i % 1000, 'My order ' || i || ' has not arrived',
        CASE WHEN i % 5 = 0 THEN 'open' WHEN i % 5 = 1 THEN 'pending' ELSE 'closed' END, CASE WHEN i % 5 > 1 THEN at END, at, at FROM filling`,
  },
  {
    name: 'messages',
    insert: `(brand_id, id, ticket_id, author, body, created_at)
      SELECT brand, message, ticket, 'customer', left(repeat('${TEXT}', 9), 300 + (i * 7919 % 400)::integer), at FROM filling`,
  },
  {
    name: 'blobs',
    insert: `(sha256, size, created_at)
      SELECT sha256(i::text::bytea), 20000 + i % 500000, at FROM filling WHERE i % 50 = 0`,
  },
  {
    name: 'attachments',
    insert: `(brand_id, id, message_id, filename, declared_type, detected_type, sha256)
      SELECT brand, uuidv7(at - now()), message, 'receipt-' || i || '.pdf', 'application/pdf', 'application/pdf',
        sha256(i::text::bytea) FROM filling WHERE i % 50 = 0`,
  },
  {
    name: 'deliveries',
    insert: `(brand_id, id, message_id, connector, mail_message_id, state, attempts, due_at, give_up_at, created_at, finished_at)
      SELECT brand, delivery, message, 'smtp', '<msg_' || replace(message::text, '-', '') || '@acme.example>', state, 1,
        CASE state WHEN 'pending' THEN now() + interval '1 day' + i % 3600 * interval '1 second' ELSE at END,
        at + interval '3 days', at, CASE WHEN state <> 'pending' THEN at + interval '1 second' END FROM filling`,
  },
  {
    name: 'attempts',
    insert: `(brand_id, delivery_id, number, outcome, code, locked_by, duration_ms, ended_at)
      SELECT brand, delivery, 1,
        CASE state WHEN 'delivered' THEN 'delivered' WHEN 'rejected' THEN 'permanent' ELSE 'retry' END,
        CASE state WHEN 'delivered' THEN 'smtp_250' WHEN 'rejected' THEN 'smtp_550' ELSE 'smtp_451' END,
        'a-host:4711:0badcafe', 20 + i % 100, at + interval '1 second' FROM filling`,
  },
  {
    name: 'attempt_answers',
    insert: `(brand_id, delivery_id, number, answer)
      SELECT brand, delivery, 1, '250 2.0.0 ok: queued as ' || md5(i::text) FROM filling`,
  },
  {
    name: 'audit_entries',
    insert: `(brand_id, id, at, actor, action, ticket_id, message_id, delivery_id)
      SELECT brand, uuidv7(at - now()), at, 'person', 'ticket.created', ticket, message, delivery FROM filling
      UNION ALL
      SELECT brand, uuidv7(at - now()), at, 'system', 'delivery.' || state, ticket, message, delivery FROM filling
      WHERE state IN ('rejected', 'dead')`,
  },
  {
    name: 'idempotency_keys',
    insert: `(brand_id, digest, request_hash, message_id, expires_at)
      SELECT brand, sha256(('key ' || i)::bytea), sha256(i::text::bytea), message, at + interval '1 day' FROM filling
      WHERE at > now() - interval '1 day'`,
  },
]

export async function fill(
  endpoint: SocketEndpoint,
  count: number,
  say: (line: string) => void,
  persons = PERSONS,
): Promise<void> {
  await withSql(endpoint, async (sql) => {
    say(`${count} tickets: their ids and times`)
    await makeIds(sql, count)
    const taken = await takeOff(sql)
    // Two at a time, as many as the smallest machine has processors; the largest tables first.
    const left = [...TABLES].sort((a, b) => place(a) - place(b))
    const work = async () => {
      for (let table = left.shift(); table !== undefined; table = left.shift()) {
        const { name } = table
        const started = performance.now()
        await withSql(endpoint, (own) =>
          fillTable(own, insertOf(table as Table, persons), taken.indexes.get(name) ?? []),
        )
        say(`${name} in ${((performance.now() - started) / 1000).toFixed(0)} s`)
      }
    }
    await Promise.all([work(), work()])
    await sql`DROP TABLE filling`
    await Promise.all(
      TABLES.map(({ name }) => withSql(endpoint, (own) => own.unsafe(`VACUUM (ANALYZE) ${name}`))),
    )
    say('vacuumed and analysed')
    for (const constraint of taken.foreignKeys) await sql.unsafe(constraint)
    say('foreign keys checked')
  })
}

function insertOf({ name, insert }: Table, persons: number): Table {
  return { name, insert: insert.replace(COUNT_OF_PERSONS, String(persons)) }
}

const LARGEST = ['messages', 'deliveries', 'audit_entries', 'tickets', 'attempts', 'attempt_answers']

function place({ name }: Table): number {
  const at = LARGEST.indexOf(name)
  return at < 0 ? LARGEST.length : at
}

/** Of four tickets in ten the brand is `acme`. The undelivered are the newest, the failed are of all times. */
async function makeIds(sql: Sql, count: number): Promise<void> {
  const some = Math.max(LEAST, Math.floor(count / 200))
  const every = Math.max(1, Math.floor(count / some))
  await sql.unsafe(`
    CREATE UNLOGGED TABLE filling AS
    SELECT i, at,
      CASE WHEN i * 7919 % 100 < 40 THEN 'acme' WHEN i * 7919 % 100 < 60 THEN 'globex'
        ELSE 'brand-' || i * 7919 % 6 + 1 END AS brand,
      CASE WHEN i > ${count - some} THEN 'pending' WHEN i % ${every} <> 0 THEN 'delivered'
        WHEN i / ${every} % 2 = 0 THEN 'rejected' ELSE 'dead' END AS state,
      uuidv7(at - now()) AS ticket, uuidv7(at - now()) AS message, uuidv7(at - now()) AS delivery
    FROM (
      SELECT i, now() - interval '365 days' * (1 - (i::float8 - 0.5) / ${count}) AS at FROM generate_series(1::bigint, ${count}) i
    ) times`)
}

type TakenOff = { foreignKeys: string[]; indexes: Map<string, string[]> }

/**
 * Takes off what is slower to keep up for each row than to make at the end, and what other tables hold of these.
 * @returns how to make it again
 */
async function takeOff(sql: Sql): Promise<TakenOff> {
  const names = TABLES.map(({ name }) => name)
  const constraints = await sql<{ table: string; name: string; kind: string; definition: string }[]>`
    SELECT conrelid::regclass::text AS table, conname AS name, contype AS kind, pg_get_constraintdef(oid) AS definition
    FROM pg_constraint
    WHERE contype IN ('f', 'p', 'u') AND conrelid::regclass::text IN ${sql(names)}
      OR contype = 'f' AND confrelid::regclass::text IN ${sql(names)}
    ORDER BY contype = 'f' DESC`
  for (const { table, name } of constraints) await sql.unsafe(`ALTER TABLE ${table} DROP CONSTRAINT ${name}`)
  const indexes = await sql<{ table: string; name: string; definition: string }[]>`
    SELECT indrelid::regclass::text AS table, indexrelid::regclass::text AS name,
      pg_get_indexdef(indexrelid) AS definition
    FROM pg_index WHERE indrelid::regclass::text IN ${sql(names)}`
  for (const { name } of indexes) await sql.unsafe(`DROP INDEX ${name}`)
  const make = ({ table, name, definition }: (typeof constraints)[number]) =>
    `ALTER TABLE ${table} ADD CONSTRAINT ${name} ${definition}`
  const ofTable = new Map(
    names.map((name) => [
      name,
      [
        ...constraints.filter(({ table, kind }) => table === name && kind !== 'f').map(make),
        ...indexes.filter(({ table }) => table === name).map(({ definition }) => definition),
      ],
    ]),
  )
  return { foreignKeys: constraints.filter(({ kind }) => kind === 'f').map(make), indexes: ofTable }
}

async function fillTable(sql: Sql, { name, insert }: Table, indexes: string[]): Promise<void> {
  await sql.begin(async (transaction) => {
    // Rows are only ever added, says a trigger; here the table is empty.
    await transaction`SET LOCAL session_replication_role = replica`
    await transaction.unsafe(`TRUNCATE ${name}`)
    await transaction.unsafe(`INSERT INTO ${name} ${insert}`)
    for (const index of indexes) await transaction.unsafe(index)
  })
}
