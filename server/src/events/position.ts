/**
 * A place in the audit table's order: what was written by transactions that began to write earlier comes first
 * (xid8), and what one of them wrote in the order of its ids (UUIDv7).
 */
export type Position = { xid: bigint; id: string }

/** Before every id. */
const FIRST_ID = '00000000-0000-0000-0000-000000000000'

/** The place before everything that this transaction wrote. */
export function before(xid: bigint): Position {
  return { xid, id: FIRST_ID }
}

/** Negative where `a` comes first, 0 where they are the same. */
export function compare(a: Position, b: Position): number {
  if (a.xid !== b.xid) return a.xid < b.xid ? -1 : 1
  if (a.id === b.id) return 0
  return a.id < b.id ? -1 : 1
}
