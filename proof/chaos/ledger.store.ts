import type { Sql } from '../../server/src/database/pool.ts'
import { toId } from '../../server/src/ids.ts'
import type { Receipt } from './ledger.ts'

export type Kept = {
  /** Of the receipts: those with ticket, message, delivery and audit entry. */
  whole: number
  /** Rows of which a part is missing, whether they were acknowledged or not. */
  halfWritten: number
  /** Messages whose idempotency key is not there any more. */
  keyless: number
  tickets: number
  /** Messages that two keys stand for. */
  sharedKeys: number
  /** Of all messages, acknowledged or not. */
  messageIds: Set<string>
}

const AT_ONCE = 10_000

/** What is there of what was acknowledged, and whether anything is there in part. */
export async function readKept(sql: Sql, receipts: Iterable<Receipt>): Promise<Kept> {
  const session = await sql.reserve()
  try {
    await session`set statement_timeout = 0`
    await session`create temp table acknowledged (brand_id text, ticket_id uuid, message_id uuid)`
    for (const some of chunks(receipts)) {
      await session`
        insert into acknowledged
        select brand, replace(ticket, 'tkt_', '')::uuid, replace(message, 'msg_', '')::uuid
        from json_to_recordset(${JSON.stringify(some)}::text::json) as r(brand text, ticket text, message text)`
    }
    await session`analyze acknowledged`
    const [counts] = await session<Omit<Kept, 'messageIds'>[]>`
      select
        (select count(*)::int from acknowledged a
          where exists (select from tickets t where t.brand_id = a.brand_id and t.id = a.ticket_id)
            and exists (select from messages m where m.brand_id = a.brand_id and m.id = a.message_id
              and m.ticket_id = a.ticket_id)
            and exists (select from deliveries d where d.brand_id = a.brand_id and d.message_id = a.message_id)
            and exists (select from audit_entries e where e.brand_id = a.brand_id
              and e.ticket_id = a.ticket_id and e.action = 'ticket.created')
        ) as whole,
        (select count(*)::int from tickets t
          where not exists (select from messages m where m.brand_id = t.brand_id and m.ticket_id = t.id)
            or not exists (select from audit_entries e where e.brand_id = t.brand_id
              and e.ticket_id = t.id and e.action = 'ticket.created'))
        + (select count(*)::int from messages m where not exists
            (select from deliveries d where d.brand_id = m.brand_id and d.message_id = m.id))
        + (select count(*)::int from audit_entries e where e.action = 'ticket.created' and not exists
            (select from tickets t where t.brand_id = e.brand_id and t.id = e.ticket_id))
        as "halfWritten",
        (select count(*)::int from messages m where not exists
            (select from idempotency_keys k where k.brand_id = m.brand_id and k.message_id = m.id)) as keyless,
        (select count(*)::int from tickets) as tickets,
        (select count(*)::int - count(distinct message_id)::int from idempotency_keys) as "sharedKeys"`
    if (counts === undefined) throw new Error('the database counts nothing')
    const messageIds = new Set<string>()
    await session<{ id: string }[]>`select id from messages`.cursor(AT_ONCE, (rows) => {
      for (const { id } of rows) messageIds.add(toId('msg', id))
    })
    return { ...counts, messageIds }
  } finally {
    await session`drop table if exists acknowledged`
    session.release()
  }
}

function* chunks(receipts: Iterable<Receipt>): Generator<object[]> {
  let some: object[] = []
  for (const { brandId, ticketId, messageId } of receipts) {
    some.push({ brand: brandId, ticket: ticketId, message: messageId })
    if (some.length < AT_ONCE) continue
    yield some
    some = []
  }
  if (some.length > 0) yield some
}
