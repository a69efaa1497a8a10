import type { Executor } from '../database/pool.ts'
import type { ClaimedDelivery, DeliveryKey } from './delivery.store.ts'

/** A requester whose address is another one now, in the form of `comparableAddress`. */
export type Moved = {
  brandId: string
  ticketId: string
  from: string
  to: string
  /** Whether the new address gets answers themselves; else that there is one. */
  wholly: boolean
  /** Whether it may be told that the request came. */
  acknowledges: boolean
}

export type TicketPeople = Pick<ClaimedDelivery, 'requesterEmail' | 'participates'>

/**
 * Who is of the tickets of these deliveries now. A claim reads the people as they were when it began, and a delivery as
 * it is once it has its row: between the two the recipient may have become another one.
 */
export async function readPeopleOf(
  sql: Executor,
  deliveries: DeliveryKey[],
): Promise<Map<string, TicketPeople>> {
  const asked = JSON.stringify(deliveries.map((one) => ({ brand_id: one.brandId, id: one.deliveryId })))
  const rows = await sql<({ id: string } & TicketPeople)[]>`
    SELECT d.id, t.requester_email AS "requesterEmail", EXISTS (SELECT FROM participants p
      WHERE p.brand_id = d.brand_id AND p.ticket_id = t.id AND p.address = d.recipient) AS participates
    FROM json_to_recordset(${asked}::text::json) AS a(brand_id text, id uuid)
    JOIN deliveries d ON d.brand_id = a.brand_id AND d.id = a.id
    JOIN messages m ON m.brand_id = d.brand_id AND m.id = d.message_id
    JOIN tickets t ON t.brand_id = m.brand_id AND t.id = m.ticket_id`
  return new Map(rows.map(({ id, ...people }) => [id, people]))
}

/** Mails that are being attempted at an address. Should that fail, they are refused, and go nowhere else. */
export async function countUnderWay(
  tx: Executor,
  { brandId, ticketId, from }: Pick<Moved, 'brandId' | 'ticketId' | 'from'>,
): Promise<number> {
  const [row] = await tx<{ count: number }[]>`
    SELECT count(*)::int AS count FROM messages m
    JOIN deliveries d ON d.brand_id = m.brand_id AND d.message_id = m.id
    WHERE m.brand_id = ${brandId} AND m.ticket_id = ${ticketId} AND d.side = 'customer' AND d.state = 'leased'
      AND d.recipient = ${from}`
  return row?.count ?? 0
}

/**
 * What waits for a requester's old address goes to the new one, under the same Message-ID. What is being attempted
 * goes where it was going; what cannot go on, since the new address is being told of it already or may not be, stays, and is
 * refused before it is attempted (`refusalOf` in job.ts).
 * @returns how many go on
 */
export async function redirectWaiting(tx: Executor, moved: Moved): Promise<number> {
  const rows = await tx`
    UPDATE deliveries d SET recipient = ${moved.to},
      kind = CASE WHEN d.kind = 'acknowledgement' THEN d.kind WHEN ${moved.wholly} THEN 'message' ELSE 'notice' END
    FROM messages m
    WHERE m.brand_id = ${moved.brandId} AND m.ticket_id = ${moved.ticketId}
      AND d.brand_id = m.brand_id AND d.message_id = m.id
      AND d.side = 'customer' AND d.state = 'pending' AND d.recipient = ${moved.from}
      AND (d.kind <> 'acknowledgement' OR ${moved.acknowledges})
      AND NOT EXISTS (SELECT FROM deliveries o
        WHERE o.brand_id = d.brand_id AND o.message_id = d.message_id AND o.side = 'customer'
          AND o.state IN ('pending', 'leased', 'delivered') AND o.recipient = ${moved.to} AND (o.kind = 'acknowledgement') = (d.kind = 'acknowledgement'))`
  return rows.count
}
