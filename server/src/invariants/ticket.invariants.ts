import { idOf } from './id-of.ts'
import type { Invariant } from './invariant.ts'

/**
 * What was said, and that it was written down whole. The foreign keys hold some of it too; a disk that lies, or
 * rows that were brought in with the triggers off, know of none.
 */
export const TICKET_INVARIANTS: Invariant[] = [
  {
    claim: 'every ticket has a message',
    broken: (sql) => sql`
      SELECT ${idOf(sql, 'tkt', 't.id')} FROM tickets t WHERE NOT EXISTS (
        SELECT FROM messages m WHERE m.brand_id = t.brand_id AND m.ticket_id = t.id)`,
  },
  {
    claim: 'every message has its ticket',
    broken: (sql) => sql`
      SELECT ${idOf(sql, 'msg', 'm.id')} FROM messages m WHERE NOT EXISTS (
        SELECT FROM tickets t WHERE t.brand_id = m.brand_id AND t.id = m.ticket_id)`,
  },
  {
    claim: 'every attachment has its message',
    broken: (sql) => sql`
      SELECT ${idOf(sql, 'att', 'a.id')} FROM attachments a WHERE NOT EXISTS (
        SELECT FROM messages m WHERE m.brand_id = a.brand_id AND m.id = a.message_id)`,
  },
  {
    claim: 'every attachment has its blob',
    broken: (sql) => sql`
      SELECT ${idOf(sql, 'att', 'a.id')} FROM attachments a WHERE NOT EXISTS (
        SELECT FROM blobs b WHERE b.sha256 = a.sha256)`,
  },
  {
    claim: 'every participant has their ticket',
    broken: (sql) => sql`
      SELECT DISTINCT ${idOf(sql, 'tkt', 'p.ticket_id')} FROM participants p WHERE NOT EXISTS (
        SELECT FROM tickets t WHERE t.brand_id = p.brand_id AND t.id = p.ticket_id)`,
  },
  {
    claim: 'every idempotency key has its message',
    broken: (sql) => sql`
      SELECT ${idOf(sql, 'msg', 'k.message_id')} FROM idempotency_keys k WHERE NOT EXISTS (
        SELECT FROM messages m WHERE m.brand_id = k.brand_id AND m.id = k.message_id)`,
  },
  {
    // A change of status has no message of its own: its key stands for the ticket's first one.
    claim: 'no two idempotency keys stand for one message that is not its ticket’s first',
    broken: (sql) => sql`
      SELECT ${idOf(sql, 'msg', 'k.message_id')} FROM (
        SELECT brand_id, message_id FROM idempotency_keys GROUP BY brand_id, message_id HAVING count(*) > 1
      ) k JOIN messages m ON m.brand_id = k.brand_id AND m.id = k.message_id
      WHERE EXISTS (
        SELECT FROM messages f WHERE f.brand_id = m.brand_id AND f.ticket_id = m.ticket_id
          AND (f.created_at, f.id) < (m.created_at, m.id))`,
  },
  {
    claim: 'every ticket has one audit entry of its making',
    broken: (sql) => sql`
      SELECT ${idOf(sql, 'tkt', 't.id')} FROM tickets t LEFT JOIN (
        SELECT brand_id, ticket_id, count(*) AS entries FROM audit_entries WHERE action = 'ticket.created'
        GROUP BY brand_id, ticket_id
      ) e ON e.brand_id = t.brand_id AND e.ticket_id = t.id
      WHERE e.entries IS DISTINCT FROM 1`,
  },
  {
    // What a mail was, or whose address was cleared, is on no ticket.
    claim:
      'an audit entry names a ticket, a message, a delivery and a mail that are there and belong together',
    broken: (sql) => sql`
      SELECT e.id::text FROM audit_entries e
      LEFT JOIN tickets t ON t.brand_id = e.brand_id AND t.id = e.ticket_id
      LEFT JOIN messages m ON m.brand_id = e.brand_id AND m.id = e.message_id AND m.ticket_id = e.ticket_id
      LEFT JOIN deliveries d
        ON d.brand_id = e.brand_id AND d.id = e.delivery_id AND d.message_id IS NOT DISTINCT FROM e.message_id
      LEFT JOIN inbound_mails i ON i.brand_id = e.brand_id AND i.id = e.inbound_mail_id
      WHERE (t.id IS NULL AND (e.ticket_id IS NOT NULL OR split_part(e.action, '.', 1) NOT IN ('inbound', 'address')))
        OR (m.id IS NULL AND e.message_id IS NOT NULL)
        OR (d.id IS NULL AND e.delivery_id IS NOT NULL)
        OR (i.id IS NULL AND e.inbound_mail_id IS NOT NULL)`,
  },
]
