import type { Executor } from '../database/pool.ts'
import { idOf } from './id-of.ts'
import type { Fragment, Invariant } from './invariant.ts'

/** What was promised, and how it went: the state machine of deliveries, read from its rows. */
export const DELIVERY_INVARIANTS: Invariant[] = [
  {
    claim: 'every delivery has its message',
    broken: (sql) => sql`
      SELECT ${idOf(sql, 'dlv', 'd.id')} FROM deliveries d WHERE NOT EXISTS (
        SELECT FROM messages m WHERE m.brand_id = d.brand_id AND m.id = d.message_id)`,
  },
  {
    claim: 'a delivery is held exactly while it is leased, and has an end exactly where it is finished',
    broken: (sql) => sql`
      SELECT ${idOf(sql, 'dlv', 'd.id')} FROM deliveries d
      WHERE (d.state = 'leased') <> (d.locked_by IS NOT NULL)
        OR (d.state IN ('delivered', 'rejected', 'dead')) <> (d.finished_at IS NOT NULL)`,
  },
  {
    // What a customer says goes to the desk under the message's own name, every other mail under its delivery's.
    claim: 'a Message-ID names its message or its delivery, and is the only one of its brand',
    broken: (sql) => sql`
      SELECT ${idOf(sql, 'dlv', 'id')} FROM (
        SELECT id, message_id, side, kind, mail_message_id,
          count(*) OVER (PARTITION BY brand_id, mail_message_id) AS same
        FROM deliveries WHERE mail_message_id IS NOT NULL
      ) d
      WHERE same > 1 OR NOT starts_with(mail_message_id, replace(CASE WHEN side = 'desk' AND kind = 'message'
        THEN '<msg_' || message_id ELSE '<dlv_' || id END, '-', '') || '@')`,
  },
  {
    claim: 'every attempt has its delivery, and every answer its attempt',
    broken: (sql) => sql`
      SELECT ${idOf(sql, 'dlv', 'a.delivery_id')} FROM attempts a WHERE NOT EXISTS (
        SELECT FROM deliveries d WHERE d.brand_id = a.brand_id AND d.id = a.delivery_id)
      UNION
      SELECT ${idOf(sql, 'dlv', 'w.delivery_id')} FROM attempt_answers w WHERE NOT EXISTS (
        SELECT FROM attempts a
        WHERE a.brand_id = w.brand_id AND a.delivery_id = w.delivery_id AND a.number = w.number)`,
  },
  {
    // The attempt that a lease is for has no row until it ends, or until another process takes over.
    claim: 'the attempts of a delivery are numbered from 1 without a gap, up to those it counts',
    broken: (sql) =>
      whoseAttempts(
        sql,
        sql`count(a.number) <> d.attempts - CASE d.state WHEN 'leased' THEN 1 ELSE 0 END
          OR count(a.number) <> coalesce(max(a.number), 0)`,
      ),
  },
  {
    claim: 'no delivery was finished by two, and none was taken that is not delivered',
    broken: (sql) =>
      whoseAttempts(
        sql,
        sql`count(*) FILTER (WHERE a.outcome = 'delivered') > CASE d.state WHEN 'delivered' THEN 1 ELSE 0 END`,
      ),
  },
  {
    // The inbox alone has a message by the COMMIT of its ticket, without an attempt.
    claim: 'what is delivered was taken in its last attempt, or stands in the inbox',
    broken: (sql) =>
      whoseAttempts(
        sql,
        sql`d.state = 'delivered' AND NOT CASE d.attempts
          WHEN 0 THEN d.connector = 'inbox' ELSE ${lastOutcome(sql)} IS NOT DISTINCT FROM 'delivered' END`,
      ),
  },
  {
    // What was refused before an operator had it tried again no longer counts.
    claim: 'what is rejected was refused in its last attempt, and what was refused was not tried again',
    broken: (sql) =>
      whoseAttempts(
        sql,
        sql`(d.state = 'rejected' AND ${lastOutcome(sql)} IS DISTINCT FROM 'permanent')
          OR count(*) FILTER (WHERE a.outcome = 'permanent' AND a.number > d.retried_after
            AND NOT (d.state = 'rejected' AND a.number = d.attempts)) > 0`,
      ),
  },
  {
    claim: 'what is dead was tried, and its last attempt failed',
    broken: (sql) =>
      whoseAttempts(
        sql,
        sql`d.state = 'dead' AND coalesce(${lastOutcome(sql)}, '') NOT IN ('retry', 'uncertain')`,
      ),
  },
  {
    // Joined, since entries are found by their ticket and not by their delivery.
    claim:
      'what was given up, or tried again by an operator, has its audit entry, and what has one of its arrival arrived',
    broken: (sql) => sql`
      SELECT ${idOf(sql, 'dlv', 'd.id')}
      FROM deliveries d LEFT JOIN (
        SELECT brand_id, delivery_id, array_agg(action) AS actions FROM audit_entries
        WHERE action IN ('delivery.delivered', 'delivery.rejected', 'delivery.dead', 'delivery.retried')
        GROUP BY brand_id, delivery_id
      ) e ON e.brand_id = d.brand_id AND e.delivery_id = d.id
      WHERE (d.state IN ('rejected', 'dead') AND 'delivery.' || d.state <> ALL (coalesce(e.actions, '{}')))
        OR (d.retried_after > 0 AND 'delivery.retried' <> ALL (coalesce(e.actions, '{}')))
        OR (d.state <> 'delivered' AND 'delivery.delivered' = ANY (e.actions))`,
  },
]

/** Deliveries (d) of whose attempts (a) something is wrong. */
function whoseAttempts(sql: Executor, wrong: Fragment): Fragment {
  return sql`
    SELECT ${idOf(sql, 'dlv', 'd.id')}
    FROM deliveries d LEFT JOIN attempts a ON a.brand_id = d.brand_id AND a.delivery_id = d.id
    GROUP BY d.brand_id, d.id HAVING ${wrong}`
}

/** How the last attempt of a delivery ended that is not under way; NULL where there is none. */
function lastOutcome(sql: Executor): Fragment {
  return sql`max(a.outcome) FILTER (WHERE a.number = d.attempts)`
}
