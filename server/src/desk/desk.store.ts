import type { Executor } from '../database/pool.ts'

/** Where an answer stands: on which ticket it is, and whether some mail that tells of it has not arrived yet. */
export type AnswerState = { ticketId: string; isUnderWay: boolean }

/** Null: there is no such message. */
export async function readAnswerState(
  sql: Executor,
  brandId: string,
  messageId: string,
): Promise<AnswerState | null> {
  const [row] = await sql<AnswerState[]>`
    SELECT m.ticket_id AS "ticketId", EXISTS (
        SELECT FROM deliveries d
        WHERE d.brand_id = m.brand_id AND d.message_id = m.id AND d.side = 'customer' AND d.state <> 'delivered'
      ) AS "isUnderWay"
    FROM messages m WHERE m.brand_id = ${brandId} AND m.id = ${messageId}`
  return row ?? null
}
