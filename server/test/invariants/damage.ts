import type { Executor } from '../../src/database/pool.ts'
import type { Conversation } from './conversation-scene.ts'
import type { EveryEnd } from './every-end.ts'

/** Of nothing that is there. */
export const NOTHING = '01990000-0000-7000-8000-000000000000'

export type Damage = {
  claim: string
  /** Claims that it breaks, too. */
  also?: string[]
  how: string
  /** Makes it, where triggers and foreign keys do not hold. */
  make(sql: Executor, of: EveryEnd['of'], talk: Conversation): PromiseLike<unknown>
  /** What came in is no longer as much as what is there. */
  unequal?: true
}

const ENTRY =
  'an audit entry names a ticket, a message, a delivery and a mail that are there and belong together'
export const MESSAGE_MADE = 'every message has one audit entry of its making'
const MADE = 'every ticket has one audit entry of its making'
const ONE_DELIVERY =
  'what a customer or a participant said has one delivery to the desk, and nothing else has one'

export const DAMAGES: Damage[] = [
  {
    claim: 'every ticket has a message',
    how: 'one has none',
    make: (sql) => sql`
      WITH ticket AS (
        INSERT INTO tickets (brand_id, id, issuer, person_id, requester_email, subject)
        VALUES ('acme', ${NOTHING}, 'i', 'p', 'e', 's')
      )
      INSERT INTO audit_entries (brand_id, id, actor, action, ticket_id)
      VALUES ('acme', ${NOTHING}, 'person', 'ticket.created', ${NOTHING})`,
  },
  {
    claim: 'every message has its ticket',
    also: [MESSAGE_MADE],
    how: 'a note is on none',
    make: (sql) => sql`
      INSERT INTO messages (brand_id, id, ticket_id, author, body)
      VALUES ('acme', ${NOTHING}, ${NOTHING}, 'note', 'b')`,
  },
  {
    claim: 'every attachment has its message',
    how: 'one is on none',
    make: (sql, of) => sql`UPDATE attachments SET message_id = ${NOTHING} WHERE message_id = ${of.inbox}`,
  },
  {
    claim: 'every attachment has its blob',
    how: 'its row is gone',
    make: (sql) => sql`DELETE FROM blobs WHERE sha256 IN (SELECT sha256 FROM attachments)`,
  },
  {
    claim: 'every participant has their ticket',
    how: 'one speaks on none',
    make: (sql) => sql`
      INSERT INTO participants (brand_id, ticket_id, address) VALUES ('acme', ${NOTHING}, 'bob@example.com')`,
  },
  {
    claim: 'every idempotency key has its message',
    how: 'one stands for none',
    make: (sql, of) => sql`UPDATE idempotency_keys SET message_id = ${NOTHING} WHERE message_id = ${of.dead}`,
  },
  {
    claim: 'no two idempotency keys stand for one message that is not its ticket’s first',
    how: 'two do',
    make: (sql, of, talk) => sql`
      UPDATE idempotency_keys SET brand_id = 'globex', message_id = ${talk.said.followUp}
      WHERE message_id IN (${of.dead}, ${of.pending})`,
  },
  {
    claim: MADE,
    how: 'it is not there',
    make: (sql, of) =>
      sql`UPDATE audit_entries SET action = 'message.created' WHERE message_id = ${of.leased}`,
    unequal: true,
  },
  {
    claim: MADE,
    how: 'it is there twice',
    make: (sql, of) => sql`
      INSERT INTO audit_entries (brand_id, id, actor, action, ticket_id)
      SELECT brand_id, ${NOTHING}, actor, action, ticket_id FROM audit_entries WHERE message_id = ${of.leased}`,
    unequal: true,
  },
  {
    claim: ENTRY,
    how: 'its ticket is not there',
    make: (sql) => sql`
      INSERT INTO audit_entries (brand_id, id, actor, action, ticket_id)
      VALUES ('acme', ${NOTHING}, 'person', 'ticket.created', ${NOTHING})`,
    unequal: true,
  },
  {
    claim: ENTRY,
    how: 'its message is of another ticket',
    make: (sql, of) => sql`
      INSERT INTO audit_entries (brand_id, id, actor, action, ticket_id, message_id)
      SELECT brand_id, ${NOTHING}, actor, 'participant.added', ticket_id, ${of.dead} FROM audit_entries
      WHERE message_id = ${of.leased}`,
  },
  {
    claim: ENTRY,
    how: 'its delivery is of another message',
    make: (sql, of) => sql`
      UPDATE audit_entries SET delivery_id = (SELECT id FROM deliveries WHERE message_id = ${of.dead})
      WHERE message_id = ${of.leased}`,
  },
  {
    claim: ENTRY,
    how: 'its mail is not there',
    make: (sql) => sql`
      INSERT INTO audit_entries (brand_id, id, actor, action, inbound_mail_id)
      VALUES ('acme', ${NOTHING}, 'operator', 'inbound.looked_at', ${NOTHING})`,
  },
  {
    claim: ENTRY,
    how: 'it should have a ticket',
    make: (sql) => sql`
      INSERT INTO audit_entries (brand_id, id, actor, action, status)
      VALUES ('acme', ${NOTHING}, 'operator', 'ticket.status', 'open')`,
  },
  {
    claim: ONE_DELIVERY,
    how: 'it has none',
    make: (sql, of) => sql`
      WITH delivery AS (DELETE FROM deliveries WHERE message_id = ${of.inbox})
      UPDATE audit_entries SET delivery_id = NULL WHERE message_id = ${of.inbox}`,
    unequal: true,
  },
  {
    claim: ONE_DELIVERY,
    how: 'it has two',
    make: (sql, of) => sql`
      INSERT INTO deliveries (brand_id, id, message_id, connector, state)
      SELECT brand_id, ${NOTHING}, message_id, 'smtp', 'pending' FROM deliveries WHERE message_id = ${of.inbox}`,
    unequal: true,
  },
  {
    claim: 'every delivery has its message',
    how: 'one is for none',
    make: (sql) => sql`
      INSERT INTO deliveries (brand_id, id, message_id, connector, state)
      VALUES ('acme', ${NOTHING}, ${NOTHING}, 'smtp', 'pending')`,
    unequal: true,
  },
]
