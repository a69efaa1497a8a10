import { idOf } from './id-of.ts'
import type { Invariant } from './invariant.ts'

/** Every mail that came is settled as one thing, and that thing is there. */
export const INBOUND_INVARIANTS: Invariant[] = [
  {
    claim: 'a mail is settled at a moment and as something, or waits with its bytes',
    broken: (sql) => sql`
      SELECT ${idOf(sql, 'inb', 'i.id')} FROM inbound_mails i
      WHERE (i.state = 'settled') <> (i.settled_as IS NOT NULL) OR (i.state = 'settled') <> (i.settled_at IS NOT NULL)
        OR (i.state = 'settled' AND i.locked_by IS NOT NULL) OR (i.state = 'received' AND i.sha256 IS NULL)`,
  },
  {
    claim: 'every mail that was not swept has its blob',
    broken: (sql) => sql`
      SELECT ${idOf(sql, 'inb', 'i.id')} FROM inbound_mails i
      WHERE i.sha256 IS NOT NULL AND NOT EXISTS (SELECT FROM blobs b WHERE b.sha256 = i.sha256)`,
  },
  {
    // A quarantined one that an operator released has become a message, too.
    claim: 'a mail made a message exactly where it was settled as one, on its ticket',
    broken: (sql) => sql`
      SELECT ${idOf(sql, 'inb', 'i.id')} FROM inbound_mails i
      LEFT JOIN messages m ON m.brand_id = i.brand_id AND m.id = i.message_id AND m.ticket_id = i.ticket_id
        AND m.inbound_mail_id = i.id
      WHERE CASE
        WHEN i.settled_as IN ('automatic', 'reply', 'new_ticket') OR i.resolution = 'released' THEN m.id IS NULL
        ELSE i.message_id IS NOT NULL END`,
  },
  {
    claim: 'a message of a mail is the only one of that mail, which names it',
    broken: (sql) => sql`
      SELECT ${idOf(sql, 'msg', 'm.id')} FROM messages m LEFT JOIN inbound_mails i
        ON i.brand_id = m.brand_id AND i.id = m.inbound_mail_id AND i.message_id = m.id
      WHERE m.inbound_mail_id IS NOT NULL AND i.id IS NULL`,
  },
  {
    // What a machine sent and belonged to no ticket lies in quarantine, and may have been released from there.
    claim: 'a machine’s message came by a mail, and a mail that was settled as automatic made one',
    broken: (sql) => sql`
      SELECT ${idOf(sql, 'msg', 'm.id')} FROM messages m
      LEFT JOIN inbound_mails i ON i.brand_id = m.brand_id AND i.id = m.inbound_mail_id
      WHERE CASE WHEN m.automatic THEN coalesce(i.settled_as, '') NOT IN ('automatic', 'quarantined')
        ELSE i.settled_as = 'automatic' END`,
  },
  {
    claim: 'a ticket came by mail exactly where its first message is of a mail that opened it',
    broken: (sql) => sql`
      SELECT ${idOf(sql, 'tkt', 't.id')} FROM tickets t LEFT JOIN (
        SELECT brand_id, ticket_id, count(*) AS mails FROM inbound_mails WHERE settled_as = 'new_ticket'
        GROUP BY brand_id, ticket_id
      ) i ON i.brand_id = t.brand_id AND i.ticket_id = t.id
      WHERE coalesce(i.mails, 0) <> CASE t.via WHEN 'mail' THEN 1 ELSE 0 END`,
  },
  {
    claim: 'a bounce names the delivery that it is of, which has its audit entry',
    broken: (sql) => sql`
      SELECT ${idOf(sql, 'inb', 'i.id')} FROM inbound_mails i
      LEFT JOIN deliveries d ON d.brand_id = i.brand_id AND d.id = i.delivery_id
      LEFT JOIN (
        SELECT DISTINCT brand_id, inbound_mail_id, delivery_id FROM audit_entries
        WHERE action IN ('delivery.bounced', 'delivery.delayed')
      ) e ON e.brand_id = i.brand_id AND e.inbound_mail_id = i.id AND e.delivery_id = i.delivery_id
      WHERE (i.settled_as = 'bounce' AND e.delivery_id IS NULL) OR (i.delivery_id IS NOT NULL AND d.id IS NULL)`,
  },
  {
    claim: 'no mail was taken twice, nor a request that brought one',
    broken: (sql) => sql`
      SELECT ${idOf(sql, 'inb', 'id')} FROM (
        SELECT id, fingerprint, settled_as, request_digest,
          count(*) FILTER (WHERE settled_as IN ('automatic', 'reply', 'new_ticket', 'bounce'))
            OVER (PARTITION BY brand_id, fingerprint) AS same,
          count(*) OVER (PARTITION BY brand_id, request_digest) AS requests
        FROM inbound_mails
      ) i
      WHERE (fingerprint IS NOT NULL AND settled_as IN ('automatic', 'reply', 'new_ticket', 'bounce') AND same > 1)
        OR (request_digest IS NOT NULL AND requests > 1)`,
  },
  {
    claim: 'a duplicate is of a mail that was taken',
    broken: (sql) => sql`
      SELECT ${idOf(sql, 'inb', 'i.id')} FROM inbound_mails i LEFT JOIN (
        SELECT DISTINCT brand_id, fingerprint FROM inbound_mails
        WHERE settled_as IN ('automatic', 'reply', 'new_ticket', 'bounce')
      ) o ON o.brand_id = i.brand_id AND o.fingerprint = i.fingerprint
      WHERE i.settled_as = 'duplicate' AND o.fingerprint IS NULL`,
  },
  {
    claim: 'what lies in quarantine says why, and what an operator did about it has its audit entry',
    broken: (sql) => sql`
      SELECT ${idOf(sql, 'inb', 'i.id')} FROM inbound_mails i LEFT JOIN (
        SELECT brand_id, inbound_mail_id, array_agg(action) AS actions FROM audit_entries
        WHERE action IN ('inbound.released', 'inbound.discarded') GROUP BY brand_id, inbound_mail_id
      ) e ON e.brand_id = i.brand_id AND e.inbound_mail_id = i.id
      WHERE (i.settled_as = 'quarantined' AND i.reason IS NULL)
        OR (i.resolution IS NOT NULL AND i.settled_as <> 'quarantined')
        OR coalesce(e.actions, '{}') <> CASE WHEN i.resolution IS NULL THEN '{}'
          ELSE ARRAY['inbound.' || i.resolution] END`,
  },
]
