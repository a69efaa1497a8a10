import type { Sql } from '../../../server/src/database/pool.ts'
import { toId } from '../../../server/src/ids.ts'

/** How attempts ended, but for those that delivered: by outcome and code, as `retry smtp_450`. */
export async function countEnds(sql: Sql): Promise<Map<string, number>> {
  const rows = await sql<{ end: string; count: number }[]>`
    select outcome || ' ' || code as end, count(*)::int as count from attempts
    where outcome <> 'delivered' group by 1 order by 1`
  return new Map(rows.map(({ end, count }) => [end, count]))
}

/** The longest attempt, in milliseconds. */
export async function longestAttempt(sql: Sql): Promise<number> {
  const [row] = await sql<{ ms: number }[]>`select coalesce(max(duration_ms), 0)::int as ms from attempts`
  return row?.ms ?? 0
}

/** Of each message of which an attempt ended `uncertain`: how many did. By the id as it is told (`msg_…`). */
export async function countUncertain(sql: Sql): Promise<Map<string, number>> {
  const rows = await sql<{ id: string; count: number }[]>`
    select d.message_id as id, count(*)::int as count
    from attempts a join deliveries d on d.brand_id = a.brand_id and d.id = a.delivery_id
    where a.outcome = 'uncertain' group by 1`
  return new Map(rows.map(({ id, count }) => [toId('msg', id), count]))
}

/** Tickets whose first attempt was refused for good. */
export async function countRefusedAtOnce(sql: Sql): Promise<number> {
  const [row] = await sql<{ count: number }[]>`
    select count(*)::int as count from attempts where number = 1 and outcome = 'permanent'`
  return row?.count ?? 0
}

export type DeliveryCounts = { undelivered: number; rejected: number; waiting: number }

export async function countDeliveries(sql: Sql): Promise<DeliveryCounts> {
  const [row] = await sql<DeliveryCounts[]>`
    select count(*) filter (where state <> 'delivered')::int as undelivered,
      count(*) filter (where state = 'rejected')::int as rejected,
      count(*) filter (where state in ('pending', 'leased'))::int as waiting
    from deliveries`
  if (row === undefined) throw new Error('the database counts nothing')
  return row
}

/** Deliveries that took more than two attempts, so that the fault met them twice or more. */
export async function countMetTwice(sql: Sql): Promise<number> {
  const [row] = await sql<
    { count: number }[]
  >`select count(*)::int as count from deliveries where attempts > 2`
  return row?.count ?? 0
}

export type BreakerWork = {
  /** Desks that a process left alone for a while, after five failures in a row. */
  leftAlone: number
  /** The longest that a delivery waited from one attempt to the next, in seconds. */
  longestWait: number
}

/** What the circuit breakers did, as the attempts tell it. */
export async function readBreakerWork(sql: Sql): Promise<BreakerWork> {
  const [row] = await sql<BreakerWork[]>`
    with runs as (
      select brand_id, locked_by, outcome,
        count(*) filter (where outcome in ('delivered', 'permanent'))
          over (partition by brand_id, locked_by order by ended_at, delivery_id) as run
      from attempts
    ),
    failures as (
      select brand_id from runs where outcome in ('retry', 'uncertain')
      group by brand_id, locked_by, run having count(*) >= 5
    ),
    waits as (
      select extract(epoch from ended_at - make_interval(secs => coalesce(duration_ms, 0) / 1000.0)
        - lag(ended_at) over (partition by brand_id, delivery_id order by number)) as wait
      from attempts
    )
    select (select count(distinct brand_id)::int from failures) as "leftAlone",
      (select coalesce(max(wait), 0)::float8 from waits) as "longestWait"`
  if (row === undefined) throw new Error('the database counts nothing')
  return row
}
