import type { Executor } from '../../src/database/pool.ts'
import { type Damage, NOTHING } from './damage.ts'

const HELD = 'a delivery is held exactly while it is leased, and has an end exactly where it is finished'
const MESSAGE_ID = 'a Message-ID names its message or its delivery, and is the only one of its brand'
const ATTEMPTS = 'every attempt has its delivery, and every answer its attempt'
const NUMBERS = 'the attempts of a delivery are numbered from 1 without a gap, up to those it counts'
const TWO = 'no delivery was finished by two, and none was taken that is not delivered'
const TAKEN = 'what is delivered was taken in its last attempt, or stands in the inbox'
const REFUSED = 'what is rejected was refused in its last attempt, and what was refused was not tried again'
const DEAD = 'what is dead was tried, and its last attempt failed'
const ON_RECORD =
  'what was given up, or tried again by an operator, has its audit entry, and what has one of its arrival arrived'

/** What may go wrong with deliveries and their attempts. */
export const DELIVERY_DAMAGES: Damage[] = [
  {
    claim: HELD,
    how: 'one that is pending has an end',
    make: (sql, of) => sql`UPDATE deliveries SET finished_at = now() WHERE message_id = ${of.pending}`,
  },
  {
    claim: HELD,
    how: 'one that is delivered has no end',
    make: (sql, of) => sql`UPDATE deliveries SET finished_at = NULL WHERE message_id = ${of.delivered}`,
  },
  {
    claim: HELD,
    how: 'one that is leased is held by nobody',
    make: (sql, of) => sql`UPDATE deliveries SET locked_by = NULL WHERE message_id = ${of.leased}`,
  },
  {
    claim: MESSAGE_ID,
    how: 'it is another message’s',
    make: (sql, of) => sql`
      UPDATE deliveries SET mail_message_id = (
        SELECT mail_message_id FROM deliveries WHERE message_id = ${of.leased}) WHERE message_id = ${of.pending}`,
  },
  {
    claim: MESSAGE_ID,
    how: 'it names no message',
    make: (sql, of) => sql`
      UPDATE deliveries SET mail_message_id = '<42@acme.example>' WHERE message_id = ${of.pending}`,
  },
  {
    claim: ATTEMPTS,
    how: 'an attempt is of no delivery',
    make: (sql) => sql`
      INSERT INTO attempts (brand_id, delivery_id, number, outcome, code, locked_by)
      VALUES ('acme', ${NOTHING}, 1, 'retry', 'smtp_450', 'here')`,
    unequal: true,
  },
  {
    claim: ATTEMPTS,
    how: 'an answer is on no attempt',
    make: (sql, of) => sql`UPDATE attempt_answers SET number = 9 WHERE ${isOf(sql, of.dead)}`,
  },
  {
    claim: NUMBERS,
    how: 'one ended that is not counted',
    make: (sql, of) => sql`
      INSERT INTO attempts (brand_id, delivery_id, number, outcome, code, locked_by)
      SELECT brand_id, id, 1, 'retry', 'smtp_450', 'here' FROM deliveries WHERE message_id = ${of.leased}`,
    unequal: true,
  },
  {
    claim: NUMBERS,
    how: 'the first is not there',
    make: (sql, of) => sql`
      WITH answer AS (DELETE FROM attempt_answers WHERE number = 1 AND ${isOf(sql, of.retried)})
      DELETE FROM attempts WHERE number = 1 AND ${isOf(sql, of.retried)}`,
    unequal: true,
  },
  {
    claim: NUMBERS,
    how: 'there is a gap',
    make: (sql, of) => sql`
      WITH later AS (
        UPDATE attempts SET number = 3 WHERE number = 2 AND ${isOf(sql, of.retried)} RETURNING delivery_id
      ),
      third AS (UPDATE attempt_answers SET number = 3 WHERE number = 2 AND ${isOf(sql, of.retried)})
      UPDATE deliveries SET attempts = 3 FROM later WHERE id = later.delivery_id`,
    unequal: true,
  },
  {
    claim: TWO,
    how: 'it was taken twice',
    make: (sql, of) => sql`UPDATE attempts SET outcome = 'delivered' WHERE ${isOf(sql, of.retried)}`,
  },
  {
    claim: TWO,
    how: 'one was taken and waits',
    make: (sql, of) => sql`UPDATE attempts SET outcome = 'delivered' WHERE ${isOf(sql, of.pending)}`,
  },
  {
    claim: TAKEN,
    how: 'the last attempt failed',
    make: (sql, of) => sql`UPDATE attempts SET outcome = 'uncertain' WHERE ${isOf(sql, of.delivered)}`,
  },
  {
    claim: TAKEN,
    how: 'nobody tried, and its desk is a mailbox',
    make: (sql, of) => sql`UPDATE deliveries SET connector = 'smtp' WHERE message_id = ${of.inbox}`,
  },
  {
    claim: REFUSED,
    how: 'nobody refused it',
    make: (sql, of) => sql`UPDATE attempts SET outcome = 'retry' WHERE ${isOf(sql, of.rejected)}`,
  },
  {
    claim: REFUSED,
    how: 'it was refused and waits',
    make: (sql, of) => sql`UPDATE attempts SET outcome = 'permanent' WHERE ${isOf(sql, of.pending)}`,
  },
  {
    claim: REFUSED,
    how: 'it was tried again by no operator',
    make: (sql, of) => sql`UPDATE deliveries SET retried_after = 0 WHERE message_id = ${of.retried}`,
  },
  {
    claim: DEAD,
    how: 'nobody tried it',
    make: (sql, of) => sql`
      WITH attempt AS (DELETE FROM attempts WHERE ${isOf(sql, of.dead)}),
      answer AS (DELETE FROM attempt_answers WHERE ${isOf(sql, of.dead)})
      UPDATE deliveries SET attempts = 0 WHERE message_id = ${of.dead}`,
  },
  {
    claim: ON_RECORD,
    how: 'nothing says that it is dead',
    make: (sql) => sql`DELETE FROM audit_entries WHERE action = 'delivery.dead'`,
  },
  {
    claim: ON_RECORD,
    how: 'one is said to have arrived, and waits',
    make: (sql, of) => sql`
      INSERT INTO audit_entries (brand_id, id, actor, action, ticket_id, message_id, delivery_id)
      SELECT brand_id, ${NOTHING}, 'system', 'delivery.delivered', ticket_id, message_id, delivery_id
      FROM audit_entries WHERE message_id = ${of.pending}`,
  },
  {
    claim: ON_RECORD,
    how: 'nothing says that it was tried again',
    make: (sql) => sql`DELETE FROM audit_entries WHERE action = 'delivery.retried'`,
  },
]

function isOf(sql: Executor, message: string) {
  return sql`delivery_id = (SELECT id FROM deliveries WHERE message_id = ${message})`
}
