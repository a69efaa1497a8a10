import type { Executor } from '../database/pool.ts'

/**
 * The one rule of which delivery a customer sees as a message's own: of what they or a participant said the one to
 * the desk, of an answer the one to the requester, at the address that is theirs now. What tells a participant is theirs,
 * but where that is the requester's own address, one mail tells both.
 * @returns at most one row of `deliveries`, for a message under the alias `m`: `LEFT JOIN LATERAL … d ON true`
 */
export function receiptOfMessage(sql: Executor) {
  return sql`(
      SELECT d.* FROM deliveries d JOIN tickets t ON t.brand_id = m.brand_id AND t.id = m.ticket_id
      WHERE d.brand_id = m.brand_id AND d.message_id = m.id AND d.kind IN ('message', 'notice')
        AND (lower(d.recipient) = lower(t.requester_email) OR NOT EXISTS (
          SELECT FROM participants p
          WHERE p.brand_id = m.brand_id AND p.ticket_id = m.ticket_id AND p.address = d.recipient
        ))
      ORDER BY lower(d.recipient) IS DISTINCT FROM lower(t.requester_email), d.id LIMIT 1
    )`
}
