import type { Executor } from '../database/pool.ts'
import { visibleToCustomer } from './visible.ts'

/** Bytes of a ticket behind which its customer and mail say no more on it: it is read, and answered, as a whole. */
export const TICKET_BYTES = 32 * 1024 * 1024

/** What a message, and a file, are in an answer beside their texts, about, in bytes. */
const AROUND_MESSAGE = 600
const AROUND_FILE = 300

/** How many bytes a ticket is, about, as its owner may see it. No text is looked at for that. */
export async function measureTicket(sql: Executor, brandId: string, ticketId: string): Promise<number> {
  const [row] = await sql<{ bytes: number }[]>`
    SELECT (${bytesOfTicket(sql, sql`${brandId}`, sql`${ticketId}::uuid`)}) AS bytes`
  return row?.bytes ?? 0
}

type Fragment = ReturnType<Executor>

/** {@link measureTicket} as a query within another one. */
export function bytesOfTicket(sql: Executor, brandId: Fragment, ticketId: Fragment) {
  return sql`
    SELECT coalesce(sum(${bytesOf(sql)}), 0)::float8 FROM messages m, LATERAL ${filesOf(sql)} files
    WHERE m.brand_id = ${brandId} AND m.ticket_id = ${ticketId} AND ${visibleToCustomer(sql)}`
}

/** Of a message `m` and of `files`, its attachments. */
export function bytesOf(sql: Executor) {
  return sql`octet_length(m.body) + ${AROUND_MESSAGE}::int + coalesce(files.bytes, 0)`
}

/** Of a message `m` its attachments: how many, and their bytes in an answer. */
export function filesOf(sql: Executor) {
  return sql`(
      SELECT count(*),
        sum(octet_length(a.filename) + coalesce(octet_length(a.declared_type), 0) + ${AROUND_FILE}::int) AS bytes
      FROM attachments a WHERE a.brand_id = m.brand_id AND a.message_id = m.id
    )`
}
