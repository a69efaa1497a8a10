import type { Sql } from '../../../server/src/database/pool.ts'
import { ACTIVE } from './judge.ts'

/** What became of the mails, as the database has it. */
export type Settled = {
  mails: number
  unsettled: number
  /** By what they were settled as, and of those in quarantine by why. */
  ends: { as: string; reason: string | null; count: number }[]
  /** Messages of mails. */
  messages: number
  /** Seconds that the slowest mail waited, from when it was safe until it was settled. */
  longest: number
}

export async function countSettled(sql: Sql): Promise<Settled> {
  const ends = await sql<Settled['ends']>`
    SELECT settled_as AS as, CASE settled_as WHEN 'quarantined' THEN reason END AS reason, count(*)::float8 AS count
    FROM inbound_mails WHERE state = 'settled' GROUP BY 1, 2 ORDER BY 1, 2`
  const [row] = await sql<Omit<Settled, 'ends'>[]>`
    SELECT count(*)::float8 AS mails, count(*) FILTER (WHERE state = 'received')::float8 AS unsettled,
      (SELECT count(*) FROM messages WHERE inbound_mail_id IS NOT NULL)::float8 AS messages,
      coalesce(extract(epoch FROM max(settled_at - received_at)), 0)::float8 AS longest
    FROM inbound_mails`
  if (row === undefined) throw new Error('the database counts nothing')
  return { ...row, ends: [...ends] }
}

/** HTML of mails that would do something where it is shown. */
export async function countActive(sql: Sql): Promise<number> {
  const [row] = await sql<{ count: number }[]>`
    SELECT count(*)::float8 AS count FROM messages
    WHERE html ~* ${ACTIVE}`
  return row?.count ?? Number.NaN
}

/** Mails that are not settled: `inb_…`, and how often each was tried. */
export async function listUnsettled(sql: Sql): Promise<{ id: string; attempts: number }[]> {
  return sql<{ id: string; attempts: number }[]>`
    SELECT 'inb_' || replace(id::text, '-', '') AS id, attempts FROM inbound_mails WHERE state = 'received' LIMIT 10`
}
