import type { Executor } from '../database/pool.ts'

/** How many mails a mail names that went before it, at most (RFC 5322, section 3.6.4, sets no bound). */
const REFERENCES = 20

/**
 * The Message-IDs of the mails that a claimed delivery `c` of the message `m` follows, as a JSON list, the oldest
 * first: what went to the same people about the same ticket, and what came from them. Where there are more than
 * {@link REFERENCES}, the first and the newest of them. What is held, or a machine wrote, is not among what came
 * from customers: another customer would read of it.
 */
export function threadOf(sql: Executor) {
  return sql`(CASE WHEN c.mail_message_id IS NULL THEN '[]' ELSE (
    SELECT coalesce(json_agg(mail_id ORDER BY at, mail_id), '[]') FROM (
      SELECT mail_id, at, row_number() OVER (ORDER BY at, mail_id) AS from_first,
        row_number() OVER (ORDER BY at DESC, mail_id DESC) AS from_last
      FROM (
        SELECT d.mail_message_id AS mail_id, e.created_at AS at
        FROM messages e JOIN deliveries d ON d.brand_id = e.brand_id AND d.message_id = e.id
        WHERE e.brand_id = m.brand_id AND e.ticket_id = m.ticket_id AND d.id <> c.id
          AND d.side = c.side AND d.kind IN ('message', 'acknowledgement') AND d.mail_message_id IS NOT NULL
          AND (c.side = 'desk' OR d.recipient = c.recipient)
          AND (e.created_at, e.id) <= (m.created_at, m.id)
        UNION
        SELECT i.mail_message_id, e.created_at
        FROM messages e JOIN inbound_mails i ON i.brand_id = e.brand_id AND i.id = e.inbound_mail_id
        WHERE e.brand_id = m.brand_id AND e.ticket_id = m.ticket_id AND i.mail_message_id IS NOT NULL
          AND CASE c.side WHEN 'desk' THEN e.author = 'agent'
            ELSE e.author IN ('customer', 'participant') AND e.held_for IS NULL AND NOT e.automatic END
          AND (e.created_at, e.id) <= (m.created_at, m.id)
      ) mails
    ) numbered
    WHERE from_first = 1 OR from_last < ${REFERENCES}) END)`
}
