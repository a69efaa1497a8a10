import { idOf } from './id-of.ts'
import type { Invariant } from './invariant.ts'

/** What became of a ticket after its first message: who heard what, and that it was written down. */
export const CONVERSATION_INVARIANTS: Invariant[] = [
  {
    claim: 'every message has one audit entry of its making',
    broken: (sql) => sql`
      SELECT ${idOf(sql, 'msg', 'm.id')} FROM messages m LEFT JOIN (
        SELECT brand_id, message_id, count(*) AS entries FROM audit_entries
        WHERE action IN ('ticket.created', 'message.created', 'message.noted', 'message.automatic', 'message.held')
        GROUP BY brand_id, message_id
      ) e ON e.brand_id = m.brand_id AND e.message_id = m.id
      WHERE e.entries IS DISTINCT FROM 1`,
  },
  {
    // A message that was held stays it until an operator releases it; one that was not is never held later.
    claim: 'what is held was held from the beginning, and what was held and is no longer was released',
    broken: (sql) => sql`
      SELECT ${idOf(sql, 'msg', 'm.id')} FROM messages m LEFT JOIN (
        SELECT brand_id, message_id, bool_or(action = 'message.held') AS held,
          bool_or(action = 'message.released') AS released
        FROM audit_entries WHERE action IN ('message.held', 'message.released') GROUP BY brand_id, message_id
      ) e ON e.brand_id = m.brand_id AND e.message_id = m.id
      WHERE m.author <> 'note' AND NOT m.automatic
        AND (m.held_for IS NOT NULL) <> (coalesce(e.held, false) AND NOT coalesce(e.released, false))`,
  },
  {
    claim: 'a ticket is solved since a moment exactly where it is solved or closed',
    broken: (sql) => sql`
      SELECT ${idOf(sql, 'tkt', 'id')} FROM tickets WHERE (status IN ('solved', 'closed')) <> (solved_at IS NOT NULL)`,
  },
  {
    claim: 'a ticket’s status is the one that it began with, or has its audit entry',
    broken: (sql) => sql`
      SELECT ${idOf(sql, 'tkt', 't.id')} FROM tickets t LEFT JOIN (
        SELECT brand_id, ticket_id, array_agg(DISTINCT status) AS statuses FROM audit_entries
        WHERE action = 'ticket.status' GROUP BY brand_id, ticket_id
      ) e ON e.brand_id = t.brand_id AND e.ticket_id = t.id
      WHERE CASE WHEN e.statuses IS NULL THEN t.status <> 'open'
        ELSE t.status <> 'open' AND t.status <> ALL (e.statuses) END`,
  },
  {
    claim: 'a ticket without a person came by mail, and one that came by mail and has a person was claimed',
    broken: (sql) => sql`
      SELECT ${idOf(sql, 'tkt', 't.id')} FROM tickets t LEFT JOIN (
        SELECT brand_id, ticket_id, count(*) AS claims FROM audit_entries WHERE action = 'ticket.claimed'
        GROUP BY brand_id, ticket_id
      ) e ON e.brand_id = t.brand_id AND e.ticket_id = t.id
      WHERE (t.person_id IS NULL) <> (t.issuer IS NULL) OR (t.person_id IS NULL AND t.via <> 'mail')
        OR coalesce(e.claims, 0) <> CASE WHEN t.via = 'mail' AND t.person_id IS NOT NULL THEN 1 ELSE 0 END`,
  },
  {
    // An operator may have given the requester another address since, which nobody has proven.
    claim: 'only an address that the mail itself proved was claimed',
    broken: (sql) => sql`
      SELECT ${idOf(sql, 'tkt', 't.id')} FROM tickets t LEFT JOIN (
        SELECT DISTINCT brand_id, ticket_id FROM audit_entries WHERE action = 'address.corrected'
      ) e ON e.brand_id = t.brand_id AND e.ticket_id = t.id
      WHERE t.via = 'mail' AND t.person_id IS NOT NULL AND NOT t.address_proven AND e.ticket_id IS NULL`,
  },
]
