import type { Executor } from '../database/pool.ts'
import type { TicketRow, TicketStatus } from './ticket.store.ts'

export type ListedRow = Pick<
  TicketRow,
  'brandId' | 'ticketId' | 'subject' | 'status' | 'createdAt' | 'updatedAt'
> & {
  personId: string
  /** Microseconds since the epoch, as the database has `updated_at`. */
  movedAt: string
}

/** Where a page ended. */
export type ListPlace = Pick<ListedRow, 'movedAt' | 'ticketId'>

export type ListQuestion = {
  brandId: string
  personId: string
  /** Null: of any. */
  status: TicketStatus | null
  /** Null: from the beginning. */
  behind: ListPlace | null
  limit: number
}

/** Bytes of subjects behind which a page ends, however many tickets were asked for: a subject has no length. */
const PAGE_BYTES = 256 * 1024

/** `found`: how many there are, of at most the limit; those that do not fit into the page are not among the rows. */
export type Listed = { rows: ListedRow[]; found: number }

/**
 * Tickets of a person, those that moved last first; at least one, where there is any. The place is compared to the
 * microsecond, which a Date of JavaScript does not hold. The hash stands in the condition since the index has it.
 */
export async function listTickets(sql: Executor, question: ListQuestion): Promise<Listed> {
  const { brandId, personId, status, behind, limit } = question
  const rows = await sql<(ListedRow & { found: number })[]>`
    SELECT brand_id AS "brandId", id AS "ticketId", person_id AS "personId", subject, status,
      created_at AS "createdAt", updated_at AS "updatedAt",
      (extract(epoch FROM updated_at) * 1000000)::bigint::text AS "movedAt", found
    FROM (
      SELECT *, count(*) OVER ()::int AS found,
        sum(octet_length(subject)) OVER (ORDER BY updated_at DESC, id DESC) - octet_length(subject) AS before
      FROM (
        SELECT * FROM tickets
        WHERE brand_id = ${brandId} AND hashtextextended(person_id, 0) = hashtextextended(${personId}, 0)
          AND person_id = ${personId}
          ${status === null ? sql`` : sql`AND status = ${status}`}
          ${
            behind === null
              ? sql``
              : sql`AND (updated_at, id) < (
                  timestamptz 'epoch' + ${behind.movedAt}::bigint * interval '1 microsecond', ${behind.ticketId}::uuid
                )`
          }
        ORDER BY updated_at DESC, id DESC LIMIT ${limit}
      ) asked
    ) measured
    WHERE before < ${PAGE_BYTES}
    ORDER BY updated_at DESC, id DESC`
  return { rows: rows.map(({ found: _, ...row }) => row), found: rows[0]?.found ?? 0 }
}
