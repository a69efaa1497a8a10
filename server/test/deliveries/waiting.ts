import type { Executor, Sql } from '../../src/database/pool.ts'
import { newUuid, toId } from '../../src/ids.ts'

/**
 * Tickets that were accepted and wait for a worker.
 * @param attach adds to a message before a worker can see it
 * @returns the ids of their messages
 */
export async function queueTickets(
  sql: Sql,
  brandId: string,
  count: number,
  attach?: (sql: Executor, message: string) => Promise<void>,
): Promise<string[]> {
  const rows = Array.from({ length: count }, () => ({
    ticket: newUuid(),
    message: newUuid(),
    delivery: newUuid(),
  }))
  await sql.begin(async (transaction) => {
    await insert(transaction, brandId, rows)
    for (const { message } of rows) await attach?.(transaction, toId('msg', message))
  })
  return rows.map(({ message }) => toId('msg', message))
}

async function insert(sql: Executor, brandId: string, rows: object[]): Promise<void> {
  await sql`
    WITH waiting AS (
      SELECT * FROM json_to_recordset(${JSON.stringify(rows)}::text::json)
        AS w(ticket uuid, message uuid, delivery uuid)
    ),
    ticket AS (
      INSERT INTO tickets (brand_id, id, issuer, person_id, requester_email, subject)
      SELECT ${brandId}, ticket, 'https://login.acme.example', 'per_ada', 'ada@example.com', 'It waits' FROM waiting
    ),
    message AS (
      INSERT INTO messages (brand_id, id, ticket_id, author, body)
      SELECT ${brandId}, message, ticket, 'customer', 'It waits.' FROM waiting
    )
    INSERT INTO deliveries (brand_id, id, message_id, connector, state)
    SELECT ${brandId}, delivery, message, 'smtp', 'pending' FROM waiting`
}
