import type { Sql } from '../../server/src/database/pool.ts'

export type KeptMails = {
  /** Of the acknowledged, those that are there. */
  present: number
  unsettled: number
  /** Of the acknowledged, by their Message-ID: those of which no message was made, and those of which two were. */
  withoutMessage: number
  twice: number
  duplicates: number
  quarantined: number
}

/** What is there of what was acknowledged. @param taken the mail's UUID where it is known, by its Message-ID */
export async function readMails(sql: Sql, taken: Map<string, string | null>): Promise<KeptMails> {
  const asked = JSON.stringify([...taken].map(([messageId, id]) => ({ message_id: messageId, id })))
  const [row] = await sql<KeptMails[]>`
    with acknowledged as materialized (
      select * from json_to_recordset(${asked}::text::json) as a(message_id text, id uuid)
    ),
    made as materialized (
      select i.mail_message_id as message_id, count(m.id)::int as messages
      from inbound_mails i left join messages m on m.brand_id = i.brand_id and m.inbound_mail_id = i.id
      group by i.mail_message_id
    )
    select
      (select count(*)::int from acknowledged a where exists (
        select from inbound_mails i where i.id = a.id)
          or a.id is null and exists (select from made where made.message_id = a.message_id)) as present,
      (select count(*)::int from inbound_mails where state = 'received') as unsettled,
      (select count(*)::int from acknowledged a left join made using (message_id)
        where coalesce(messages, 0) = 0) as "withoutMessage",
      (select count(*)::int from made where messages > 1) as twice,
      (select count(*)::int from inbound_mails where settled_as = 'duplicate') as duplicates,
      (select count(*)::int from inbound_mails where settled_as = 'quarantined') as quarantined`
  if (row === undefined) throw new Error('the database counts nothing')
  return row
}
