import { type Damage, MESSAGE_MADE, NOTHING } from './damage.ts'

const HELD = 'what is held was held from the beginning, and what was held and is no longer was released'
const STATUS = 'a ticket’s status is the one that it began with, or has its audit entry'
const PERSON =
  'a ticket without a person came by mail, and one that came by mail and has a person was claimed'
const UNSEEN = 'no customer was promised what they may not see'
const TELLS = 'mail to a customer tells of an agent’s answer, or that the request came'

/** What may go wrong with a conversation. */
export const TALK_DAMAGES: Damage[] = [
  {
    claim: MESSAGE_MADE,
    how: 'of a note it is not there',
    make: (sql, _of, talk) => sql`DELETE FROM audit_entries WHERE message_id = ${talk.said.note}`,
  },
  {
    claim: MESSAGE_MADE,
    how: 'it is there twice',
    make: (sql, _of, talk) => sql`
      INSERT INTO audit_entries (brand_id, id, actor, action, ticket_id, message_id)
      VALUES ('globex', ${NOTHING}, 'desk', 'message.created', ${talk.ticket}, ${talk.said.answer})`,
  },
  {
    claim: HELD,
    how: 'nobody released it',
    make: (sql, _of, talk) => sql`UPDATE messages SET held_for = NULL WHERE id = ${talk.said.held}`,
  },
  {
    claim: HELD,
    how: 'it was said, and is held since',
    also: [UNSEEN],
    make: (sql, _of, talk) => sql`UPDATE messages SET held_for = 'empty' WHERE id = ${talk.said.released}`,
  },
  {
    claim: 'a ticket is solved since a moment exactly where it is solved or closed',
    how: 'nobody knows since when',
    make: (sql, _of, talk) => sql`UPDATE tickets SET solved_at = NULL WHERE id = ${talk.ticket}`,
  },
  {
    claim: STATUS,
    how: 'nobody made it pending',
    make: (sql, _of, talk) => sql`
      UPDATE tickets SET status = 'pending', solved_at = NULL WHERE id = ${talk.ticket}`,
  },
  {
    claim: STATUS,
    how: 'nobody ever changed it',
    make: (sql, _of, talk) => sql`UPDATE tickets SET status = 'pending' WHERE id = ${talk.mailTicket}`,
  },
  {
    claim: PERSON,
    how: 'one by the API has none',
    make: (sql, _of, talk) =>
      sql`UPDATE tickets SET issuer = NULL, person_id = NULL WHERE id = ${talk.ticket}`,
  },
  {
    claim: PERSON,
    how: 'nothing says who claimed it',
    make: (sql) => sql`DELETE FROM audit_entries WHERE action = 'ticket.claimed'`,
  },
  {
    claim: 'only an address that the mail itself proved was claimed',
    how: 'nothing proved it',
    make: (sql, _of, talk) => sql`UPDATE tickets SET address_proven = false WHERE id = ${talk.mailTicket}`,
  },
  {
    claim: UNSEEN,
    how: 'an answer that is held is on its way',
    make: (sql, _of, talk) => sql`
      INSERT INTO deliveries (brand_id, id, message_id, side, recipient, connector, state)
      VALUES ('globex', ${NOTHING}, ${talk.said.held}, 'customer', 'ada@example.com', 'mail', 'pending')`,
  },
  {
    claim: UNSEEN,
    how: 'an internal note is on its way',
    also: [TELLS],
    make: (sql, _of, talk) => sql`
      INSERT INTO deliveries (brand_id, id, message_id, side, recipient, connector, state)
      VALUES ('globex', ${NOTHING}, ${talk.said.note}, 'customer', 'ada@example.com', 'mail', 'pending')`,
  },
  {
    claim: TELLS,
    how: 'it tells of what the customer said',
    make: (sql, _of, talk) => sql`
      INSERT INTO deliveries (brand_id, id, message_id, side, kind, recipient, connector, state)
      VALUES ('globex', ${NOTHING}, ${talk.said.followUp}, 'customer', 'notice', 'ada@example.com', 'mail', 'pending')`,
  },
  {
    claim: TELLS,
    how: 'it goes to no address',
    make: (sql, _of, talk) => sql`UPDATE deliveries SET recipient = NULL WHERE id = ${talk.toCustomer}`,
  },
  {
    claim: 'no address was told of one message twice',
    how: 'by a notice, too',
    make: (sql, _of, talk) => sql`
      INSERT INTO deliveries (brand_id, id, message_id, side, kind, recipient, connector, state)
      SELECT brand_id, ${NOTHING}, message_id, side, 'notice', recipient, connector, 'pending'
      FROM deliveries WHERE id = ${talk.toCustomer}`,
  },
  {
    claim: 'a ticket is acknowledged once at most',
    how: 'to another address, too',
    make: (sql) => sql`
      INSERT INTO deliveries (brand_id, id, message_id, side, kind, recipient, connector, state)
      SELECT brand_id, ${NOTHING}, message_id, side, kind, 'bob@example.com', connector, 'pending'
      FROM deliveries WHERE kind = 'acknowledgement'`,
  },
  {
    claim: 'an answer came back to its agent only where it was held',
    how: 'it was sent on',
    make: (sql, _of, talk) => sql`
      UPDATE deliveries SET message_id = ${talk.said.answer} WHERE kind = 'returned' AND message_id = ${talk.said.held}`,
  },
  {
    claim: 'a desk was told only of a status that its ticket had',
    how: 'it was never closed',
    make: (sql, of) => sql`
      INSERT INTO deliveries (brand_id, id, message_id, kind, status, connector, state)
      VALUES ('globex', ${NOTHING}, ${of.inbox}, 'status', 'closed', 'webhook', 'pending')`,
  },
  {
    claim: 'what bounced was a mail, and has its audit entry',
    how: 'nothing says that it came back',
    make: (sql, of) => sql`
      UPDATE deliveries SET bounced_at = now(), bounce_code = '5.1.1' WHERE message_id = ${of.pending}`,
  },
  {
    claim: 'what bounced was a mail, and has its audit entry',
    how: 'it never was a mail',
    make: (sql, _of, talk) => sql`UPDATE deliveries SET mail_message_id = NULL WHERE id = ${talk.toCustomer}`,
  },
]
