import { receiptOfMessage } from '../conversation/receipt.ts'
import { visibleToCustomer } from '../conversation/visible.ts'
import type { Executor } from '../database/pool.ts'
import type { DeliveryState } from '../deliveries/delivery.store.ts'
import { before, type Position } from './position.ts'

/** An audit entry with what a customer may know of it, as the database has it now. */
export type ChangeRow = {
  brandId: string
  ticketId: string
  action: string
  /** What the ticket's status became. */
  status: string | null
  /** Null where the entry is of no message that a customer may see. */
  message: {
    messageId: string
    createdAt: Date
    /** Of its delivery; null where it is carried nowhere. */
    state: DeliveryState | null
    bouncedAt: Date | null
  } | null
  /** Whether the entry is of the one delivery that the customer sees as this message's. */
  ofReceipt: boolean
  /** Of the ticket, now. */
  updatedAt: Date
}

export type Change = ChangeRow & Position

export type Changes = {
  /** In their order. */
  changes: Change[]
  /** Everything before this place was read, or there were more than the limit: up to the last one. */
  readTo: Position
  isFull: boolean
  /** Nothing that is still to be committed comes before it. */
  horizon: Position
}

type FlatRow = {
  horizon: string
  xid: string | null
  id: string
  brandId: string
  ticketId: string
  action: string
  status: string | null
  messageId: string | null
  createdAt: Date
  state: DeliveryState | null
  bouncedAt: Date | null
  ofReceipt: boolean
  updatedAt: Date
}

/**
 * What was written behind this place, below the oldest transaction that is still open: whatever such a one writes
 * comes behind everything that is read here, so that it is read later, whenever it commits.
 * @param limit of the entries, of which not all are of a customer's matter
 */
export async function readChanges(sql: Executor, after: Position, limit: number): Promise<Changes> {
  const rows = await sql<FlatRow[]>`
    WITH entry AS MATERIALIZED (
      SELECT * FROM audit_entries
      WHERE (xid, id) > (${String(after.xid)}::text::xid8, ${after.id}::uuid)
        AND xid < pg_snapshot_xmin(pg_current_snapshot()) AND ticket_id IS NOT NULL
      ORDER BY xid, id LIMIT ${limit}
    )
    ${describeEntries(sql)}`
  return toChanges(rows, limit)
}

/** Those of one ticket, up to a place that the horizon has passed. */
export async function readTicketChanges(
  sql: Executor,
  ticket: { brandId: string; ticketId: string },
  between: { after: Position; upTo: Position },
  limit: number,
): Promise<Changes> {
  const { after, upTo } = between
  const rows = await sql<FlatRow[]>`
    WITH own AS MATERIALIZED (
      SELECT * FROM audit_entries WHERE brand_id = ${ticket.brandId} AND ticket_id = ${ticket.ticketId}
    ),
    entry AS MATERIALIZED (
      SELECT * FROM own
      WHERE (xid, id) > (${String(after.xid)}::text::xid8, ${after.id}::uuid)
        AND (xid, id) <= (${String(upTo.xid)}::text::xid8, ${upTo.id}::uuid)
      ORDER BY xid, id LIMIT ${limit}
    )
    ${describeEntries(sql)}`
  const read = toChanges(rows, limit)
  return { ...read, readTo: read.isFull ? read.readTo : upTo }
}

/** The place behind everything that is committed and that nothing can still come before. */
export async function readHorizon(sql: Executor): Promise<Position> {
  const [row] = await sql<{ horizon: string }[]>`
    SELECT pg_snapshot_xmin(pg_current_snapshot())::text AS horizon`
  if (row === undefined) throw new Error('the database has no snapshot')
  return before(BigInt(row.horizon))
}

/** Tells this database from any that its rows are brought into: transactions are numbered anew there. */
export async function readDatabaseId(sql: Executor): Promise<string> {
  const [privilege] = await sql<{ held: boolean }[]>`
    SELECT has_function_privilege('pg_control_system()', 'execute') AS held`
  if (privilege?.held !== true) return ''
  const [row] = await sql<{ id: string }[]>`SELECT system_identifier::text AS id FROM pg_control_system()`
  return row?.id ?? ''
}

/**
 * The entries with what is known of them, each with the horizon of this statement's own snapshot; a row without an
 * entry where there are none. Each is looked up by itself, whatever the planner thinks of their number.
 */
function describeEntries(sql: Executor) {
  return sql`
    SELECT h.xmin::text AS horizon, e.xid::text AS xid, e.id, e.brand_id AS "brandId", e.ticket_id AS "ticketId",
      e.action, e.status, m.id AS "messageId", m.created_at AS "createdAt", d.state, d.bounced_at AS "bouncedAt",
      e.delivery_id IS NOT NULL AND e.delivery_id = d.id AS "ofReceipt", t.updated_at AS "updatedAt"
    FROM (SELECT pg_snapshot_xmin(pg_current_snapshot()) AS xmin) h
    LEFT JOIN entry e ON true
    LEFT JOIN LATERAL (
      SELECT * FROM tickets t WHERE t.brand_id = e.brand_id AND t.id = e.ticket_id LIMIT 1
    ) t ON true
    LEFT JOIN LATERAL (
      SELECT * FROM messages m
      WHERE m.brand_id = e.brand_id AND m.id = e.message_id AND ${visibleToCustomer(sql)} LIMIT 1
    ) m ON true
    LEFT JOIN LATERAL ${receiptOfMessage(sql)} d ON true
    ORDER BY e.xid, e.id`
}

function toChanges(rows: FlatRow[], limit: number): Changes {
  const changes = rows.flatMap((row) => (row.xid === null ? [] : [toChange(row, row.xid)]))
  const horizon = before(BigInt(rows[0]?.horizon ?? 0))
  const isFull = changes.length >= limit
  const last = changes.at(-1)
  return { changes, isFull, horizon, readTo: isFull && last ? { xid: last.xid, id: last.id } : horizon }
}

function toChange(row: FlatRow, xid: string): Change {
  const { id, brandId, ticketId, action, status, ofReceipt, updatedAt } = row
  const message =
    row.messageId === null
      ? null
      : {
          messageId: row.messageId,
          createdAt: row.createdAt,
          state: row.state,
          bouncedAt: row.bouncedAt,
        }
  return { xid: BigInt(xid), id, brandId, ticketId, action, status, message, ofReceipt, updatedAt }
}
