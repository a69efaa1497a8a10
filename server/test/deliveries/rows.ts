import type { Sql } from '../../src/database/pool.ts'
import { fromId } from '../../src/ids.ts'
import type { Answer } from '../bellhop.ts'

/** A message: by its id, or as the receipt of it names it. */
export type Named = string | Pick<Answer, 'body'>

export type DeliveryRow = {
  id: string
  state: string
  attempts: number
  locked_by: string | null
  mail_message_id: string | null
  /** Seconds until it is due. */
  due_in: number
  finished_at: Date | null
}

/** The delivery of a message. */
export async function deliveryOf(sql: Sql, message: Named): Promise<DeliveryRow> {
  const [row] = await sql<DeliveryRow[]>`
    SELECT id, state, attempts, locked_by, mail_message_id, finished_at,
      extract(epoch FROM due_at - now())::float8 AS due_in
    FROM deliveries WHERE message_id = ${uuidOf(message)}`
  if (row === undefined) throw new Error('the message has no delivery')
  return row
}

export async function stateOf(sql: Sql, message: Named): Promise<string> {
  return (await deliveryOf(sql, message)).state
}

export type AttemptRow = { number: number; outcome: string; code: string; answer: string | null }

/** The attempts of a message's delivery in their order, each with what the desk said. */
export async function attemptsOf(sql: Sql, message: Named): Promise<AttemptRow[]> {
  return sql<AttemptRow[]>`
    SELECT a.number, a.outcome, a.code, w.answer
    FROM deliveries d JOIN attempts a ON a.brand_id = d.brand_id AND a.delivery_id = d.id
    LEFT JOIN attempt_answers w ON w.brand_id = a.brand_id AND w.delivery_id = a.delivery_id AND w.number = a.number
    WHERE d.message_id = ${uuidOf(message)} ORDER BY a.number`
}

/** Outcome and code of each attempt: `retry smtp_450`. */
export async function endsOf(sql: Sql, message: Named): Promise<string[]> {
  return (await attemptsOf(sql, message)).map(({ outcome, code }) => `${outcome} ${code}`)
}

/** What was done about a message, in its order: `system delivery.dead`. */
export async function auditOf(sql: Sql, message: Named): Promise<string[]> {
  const rows = await sql<{ actor: string; action: string }[]>`
    SELECT actor, action FROM audit_entries WHERE message_id = ${uuidOf(message)} ORDER BY at, id`
  return rows.map(({ actor, action }) => `${actor} ${action}`)
}

/** Time passes: the back-off, or the lease, of the message's delivery is over. */
export async function makeDue(sql: Sql, message: Named): Promise<void> {
  await sql`
    UPDATE deliveries SET due_at = now()
    WHERE message_id = ${uuidOf(message)} AND state IN ('pending', 'leased')`
}

/** Three days pass. */
export async function makeLate(sql: Sql, message: Named): Promise<void> {
  await sql`UPDATE deliveries SET give_up_at = now(), due_at = now() WHERE message_id = ${uuidOf(message)}`
}

function uuidOf(message: Named): string {
  const id = typeof message === 'string' ? message : String(message.body.message_id)
  const uuid = fromId('msg', id)
  if (uuid === null) throw new Error(`not the id of a message: ${id}`)
  return uuid
}
