import type { Executor } from '../database/pool.ts'
import { idOf } from './id-of.ts'
import type { Fragment, Invariant } from './invariant.ts'

/**
 * Which deliveries a message has. The rule of what a customer may see is written out here once more, and not taken
 * from where messages are said: what is examined does not examine itself.
 */
export const PROMISE_INVARIANTS: Invariant[] = [
  {
    claim: 'what a customer or a participant said has one delivery to the desk, and nothing else has one',
    broken: (sql) => sql`
      SELECT ${idOf(sql, 'msg', 'm.id')} FROM messages m LEFT JOIN (
        SELECT brand_id, message_id, count(*) AS deliveries FROM deliveries
        WHERE side = 'desk' AND kind = 'message' GROUP BY brand_id, message_id
      ) d ON d.brand_id = m.brand_id AND d.message_id = m.id
      WHERE coalesce(d.deliveries, 0)
        <> CASE WHEN m.author IN ('customer', 'participant') AND ${isShown(sql)} THEN 1 ELSE 0 END`,
  },
  {
    claim: 'no customer was promised what they may not see',
    broken: (sql) => sql`
      SELECT ${idOf(sql, 'dlv', 'd.id')} FROM deliveries d
      JOIN messages m ON m.brand_id = d.brand_id AND m.id = d.message_id
      WHERE d.side = 'customer' AND NOT ${isShown(sql)}`,
  },
  {
    claim: 'mail to a customer tells of an agent’s answer, or that the request came',
    broken: (sql) => sql`
      SELECT ${idOf(sql, 'dlv', 'd.id')} FROM deliveries d
      JOIN messages m ON m.brand_id = d.brand_id AND m.id = d.message_id
      WHERE d.side = 'customer' AND (d.recipient IS NULL OR NOT CASE d.kind
        WHEN 'message' THEN m.author IN ('agent', 'system') WHEN 'notice' THEN m.author IN ('agent', 'system')
        WHEN 'acknowledgement' THEN m.author = 'customer' ELSE false END)`,
  },
  {
    claim: 'no address was told of one message twice',
    broken: (sql) => sql`
      SELECT ${idOf(sql, 'dlv', 'id')} FROM (
        SELECT id, count(*) OVER (PARTITION BY brand_id, message_id, recipient, kind = 'acknowledgement') AS same
        FROM deliveries WHERE side = 'customer'
      ) d
      WHERE same > 1`,
  },
  {
    claim: 'a ticket is acknowledged once at most',
    broken: (sql) => sql`
      SELECT ${idOf(sql, 'tkt', 'm.ticket_id')} FROM deliveries d
      JOIN messages m ON m.brand_id = d.brand_id AND m.id = d.message_id
      WHERE d.kind = 'acknowledgement' GROUP BY m.brand_id, m.ticket_id HAVING count(*) > 1`,
  },
  {
    claim: 'an answer came back to its agent only where it was held',
    broken: (sql) => sql`
      SELECT ${idOf(sql, 'dlv', 'd.id')} FROM deliveries d
      JOIN messages m ON m.brand_id = d.brand_id AND m.id = d.message_id
      LEFT JOIN (
        SELECT DISTINCT brand_id, message_id FROM audit_entries WHERE action = 'message.held'
      ) e ON e.brand_id = m.brand_id AND e.message_id = m.id
      WHERE d.kind = 'returned'
        AND (d.side <> 'desk' OR d.recipient IS NULL OR m.author <> 'agent' OR e.message_id IS NULL)`,
  },
  {
    claim: 'a desk was told only of a status that its ticket had',
    broken: (sql) => sql`
      SELECT ${idOf(sql, 'dlv', 'd.id')} FROM deliveries d
      JOIN messages m ON m.brand_id = d.brand_id AND m.id = d.message_id
      LEFT JOIN (
        SELECT DISTINCT brand_id, ticket_id, status FROM audit_entries WHERE action = 'ticket.status'
      ) e ON e.brand_id = m.brand_id AND e.ticket_id = m.ticket_id AND e.status = d.status
      WHERE (d.kind = 'status') <> (d.status IS NOT NULL)
        OR (d.kind = 'status' AND (d.side <> 'desk' OR e.status IS NULL))`,
  },
  {
    claim: 'what bounced was a mail, and has its audit entry',
    broken: (sql) => sql`
      SELECT ${idOf(sql, 'dlv', 'd.id')} FROM deliveries d LEFT JOIN (
        SELECT DISTINCT brand_id, delivery_id FROM audit_entries WHERE action = 'delivery.bounced'
      ) e ON e.brand_id = d.brand_id AND e.delivery_id = d.id
      WHERE (d.bounced_at IS NULL) <> (e.delivery_id IS NULL) OR (d.bounced_at IS NULL) <> (d.bounce_code IS NULL)
        OR (d.bounced_at IS NOT NULL AND d.mail_message_id IS NULL)`,
  },
]

/** Whether a customer may see a message (m). */
function isShown(sql: Executor): Fragment {
  return sql`(m.author <> 'note' AND m.held_for IS NULL AND NOT m.automatic)`
}
