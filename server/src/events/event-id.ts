import { readToken, signToken } from '../secrets.ts'
import type { Position } from './position.ts'

/** The database's identifier, decimal digits of an xid8, and a UUID without dashes. */
const PAYLOAD = /^(\d*)\.(\d{1,20})\.([0-9a-f]{8})([0-9a-f]{4})([0-9a-f]{4})([0-9a-f]{4})([0-9a-f]{12})$/

export type EventsOf = { brandId: string; ticketId: string }

/** A place in the order of one database; in another one, such as one that was restored, it means nothing. */
export type DatabasePosition = Position & { database: string }

/** A place as the `id` of an event: signed, so that a client can go on from where it was and from nowhere else. */
export function toEventId(secret: Buffer, of: EventsOf, { database, xid, id }: DatabasePosition): string {
  return signToken(secret, purposeOf(of), `${database}.${xid}.${id.replaceAll('-', '')}`)
}

/** @returns null where we did not give this id for an event of this ticket */
export function fromEventId(secret: Buffer, of: EventsOf, eventId: string): DatabasePosition | null {
  const match = PAYLOAD.exec(readToken(secret, purposeOf(of), eventId) ?? '')
  if (match === null) return null
  const [, database = '', xid = '', ...id] = match
  return { database, xid: BigInt(xid), id: id.join('-') }
}

function purposeOf({ brandId, ticketId }: EventsOf): string {
  return JSON.stringify(['event', brandId, ticketId])
}
