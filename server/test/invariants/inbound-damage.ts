import { type Damage, NOTHING } from './damage.ts'

const SETTLED = 'a mail is settled at a moment and as something, or waits with its bytes'
const TWICE = 'no mail was taken twice, nor a request that brought one'
const AUTOMATIC = 'a machine’s message came by a mail, and a mail that was settled as automatic made one'
const QUARANTINE = 'what lies in quarantine says why, and what an operator did about it has its audit entry'

/** What may go wrong with the mails that come. */
export const INBOUND_DAMAGES: Damage[] = [
  {
    claim: SETTLED,
    how: 'its bytes are gone before',
    make: (sql, _of, talk) => sql`UPDATE inbound_mails SET sha256 = NULL WHERE id = ${talk.mail.waiting}`,
  },
  {
    claim: SETTLED,
    how: 'as nothing',
    make: (sql, _of, talk) => sql`UPDATE inbound_mails SET settled_as = NULL WHERE id = ${talk.mail.lying}`,
    unequal: true,
  },
  {
    claim: SETTLED,
    how: 'somebody still holds it',
    make: (sql, _of, talk) =>
      sql`UPDATE inbound_mails SET locked_by = 'somebody' WHERE id = ${talk.mail.reply}`,
  },
  {
    claim: 'every mail that was not swept has its blob',
    how: 'its row is gone',
    make: (sql, _of, talk) => sql`
      DELETE FROM blobs WHERE sha256 = (SELECT sha256 FROM inbound_mails WHERE id = ${talk.mail.lying})`,
  },
  {
    claim: 'a mail made a message exactly where it was settled as one, on its ticket',
    how: 'the message is another mail’s, or nobody’s',
    make: (sql, _of, talk) => sql`UPDATE messages SET inbound_mail_id = NULL WHERE id = ${talk.said.reply}`,
  },
  {
    claim: 'a mail made a message exactly where it was settled as one, on its ticket',
    how: 'it is on another ticket',
    make: (sql, _of, talk) => sql`
      UPDATE inbound_mails SET ticket_id = ${talk.mailTicket} WHERE id = ${talk.mail.reply}`,
  },
  {
    claim: 'a mail made a message exactly where it was settled as one, on its ticket',
    how: 'one that is a duplicate did',
    make: (sql, _of, talk) => sql`
      UPDATE inbound_mails SET message_id = ${talk.said.answer} WHERE id = ${talk.mail.duplicate}`,
  },
  {
    claim: 'a message of a mail is the only one of that mail, which names it',
    how: 'a second one is of it',
    make: (sql, _of, talk) => sql`
      UPDATE messages SET inbound_mail_id = ${talk.mail.reply} WHERE id = ${talk.said.followUp}`,
  },
  {
    claim: AUTOMATIC,
    how: 'a person’s mail made it',
    make: (sql, _of, talk) =>
      sql`UPDATE inbound_mails SET settled_as = 'reply' WHERE id = ${talk.mail.automatic}`,
  },
  {
    claim: AUTOMATIC,
    how: 'a person is to have said it',
    make: (sql, _of, talk) =>
      sql`UPDATE inbound_mails SET settled_as = 'automatic' WHERE id = ${talk.mail.reply}`,
  },
  {
    claim: 'a ticket came by mail exactly where its first message is of a mail that opened it',
    how: 'it only answered',
    make: (sql, _of, talk) =>
      sql`UPDATE inbound_mails SET settled_as = 'reply' WHERE id = ${talk.mail.new_ticket}`,
  },
  {
    claim: 'a bounce names the delivery that it is of, which has its audit entry',
    how: 'it names none',
    make: (sql, _of, talk) => sql`UPDATE inbound_mails SET delivery_id = NULL WHERE id = ${talk.mail.bounce}`,
  },
  {
    claim: 'a bounce names the delivery that it is of, which has its audit entry',
    how: 'it names one that is not there',
    make: (sql, _of, talk) =>
      sql`UPDATE inbound_mails SET delivery_id = ${NOTHING} WHERE id = ${talk.mail.lying}`,
  },
  {
    claim: TWICE,
    how: 'it opened a ticket, too',
    make: (sql, _of, talk) => sql`
      UPDATE inbound_mails SET fingerprint = (SELECT fingerprint FROM inbound_mails WHERE id = ${talk.mail.reply})
      WHERE id = ${talk.mail.new_ticket}`,
  },
  {
    claim: TWICE,
    how: 'a request brought two',
    make: (sql, _of, talk) => sql`
      UPDATE inbound_mails SET request_digest = (SELECT request_digest FROM inbound_mails WHERE id = ${talk.mail.reply})
      WHERE id = ${talk.mail.new_ticket}`,
  },
  {
    claim: 'a duplicate is of a mail that was taken',
    how: 'it is of one in quarantine',
    make: (sql, _of, talk) => sql`
      UPDATE inbound_mails SET fingerprint = (SELECT fingerprint FROM inbound_mails WHERE id = ${talk.mail.lying})
      WHERE id = ${talk.mail.duplicate}`,
  },
  {
    claim: QUARANTINE,
    how: 'nothing says why',
    make: (sql, _of, talk) => sql`UPDATE inbound_mails SET reason = NULL WHERE id = ${talk.mail.lying}`,
  },
  {
    claim: QUARANTINE,
    how: 'nothing says who discarded it',
    make: (sql) => sql`DELETE FROM audit_entries WHERE action = 'inbound.discarded'`,
  },
]
