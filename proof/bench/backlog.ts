import type { Sql } from '../../server/src/database/pool.ts'

export const SUBJECT = 'My order has not arrived'
export const BODY = 'It was due on Monday, and the page only says that it is on its way. '.repeat(8)

/**
 * Tickets whose deliveries are due now, the brands in turn, committed at once so that nobody begins early.
 * They are due a year ago, so that they go before whatever else waits there.
 */
export async function makeBacklog(sql: Sql, brands: string[], count: number): Promise<void> {
  await sql`
    WITH brand AS MATERIALIZED (
      SELECT id, place FROM json_array_elements_text(${JSON.stringify(brands)}::text::json)
        WITH ORDINALITY AS b(id, place)
    ),
    made AS MATERIALIZED (
      SELECT b.id AS brand, uuidv7() AS ticket, uuidv7() AS message, uuidv7() AS delivery, uuidv7() AS audit
      FROM generate_series(0, ${count}::integer - 1) AS i JOIN brand b ON b.place = i % ${brands.length}::integer + 1
    ),
    ticket AS (
      INSERT INTO tickets (brand_id, id, issuer, person_id, requester_email, requester_name, subject)
      SELECT brand, ticket, 'https://demo.bellhop.invalid', 'per_ada', 'ada@example.com', 'Ada Lovelace', ${SUBJECT}
      FROM made
    ),
    message AS (
      INSERT INTO messages (brand_id, id, ticket_id, author, body)
      SELECT brand, message, ticket, 'customer', ${BODY} FROM made
    ),
    delivery AS (
      INSERT INTO deliveries (brand_id, id, message_id, connector, state, due_at)
      SELECT brand, delivery, message, 'smtp', 'pending', now() - interval '1 year' FROM made
    )
    INSERT INTO audit_entries (brand_id, id, actor, action, ticket_id, message_id, delivery_id)
    SELECT brand, audit, 'person', 'ticket.created', ticket, message, delivery FROM made`
}

/** What is left of it is carried by nobody, so that the next measurement begins with a backlog of its own. */
export async function dropBacklog(sql: Sql): Promise<void> {
  await sql`
    UPDATE deliveries SET state = 'delivered', finished_at = now(), locked_by = NULL
    WHERE state IN ('pending', 'leased') AND due_at < now() - interval '30 days'`
}
