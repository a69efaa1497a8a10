import type { Executor } from '../database/pool.ts'

/** What came in, and where it is. */
export type Counts = {
  tickets: number
  /** Audit entries of tickets' making. */
  made: number
  /** Messages of customers and participants that went on to a desk. */
  messages: number
  /** Of such a message to a desk. */
  promised: number
  deliveries: number
  pending: number
  leased: number
  delivered: number
  rejected: number
  dead: number
  /** Of all deliveries, as they count them, those under way included. */
  counted: number
  /** Attempts that ended. */
  attempts: number
  attachments: number
  blobs: number
  /** Blobs that nothing refers to: the sweep takes them when they are a day old. */
  unreferred: number
  /** Mails that came. */
  mails: number
  /** Of them, those that wait to be settled. */
  unsettled: number
  duplicates: number
  bounces: number
  automatic: number
  replies: number
  newTickets: number
  quarantined: number
}

export async function countAll(sql: Executor): Promise<Counts> {
  const [counts] = await sql<Counts[]>`
    SELECT
      (SELECT count(*) FROM tickets)::float8 AS tickets,
      (SELECT count(*) FROM audit_entries WHERE action = 'ticket.created')::float8 AS made,
      (SELECT count(*) FROM messages WHERE author IN ('customer', 'participant') AND held_for IS NULL
        AND NOT automatic)::float8 AS messages,
      d.*,
      i.*,
      (SELECT count(*) FROM attempts)::float8 AS attempts,
      (SELECT count(*) FROM attachments)::float8 AS attachments,
      (SELECT count(*) FROM blobs)::float8 AS blobs,
      (SELECT count(*) FROM blobs b WHERE NOT EXISTS (
        SELECT FROM attachments a WHERE a.sha256 = b.sha256) AND NOT EXISTS (
        SELECT FROM inbound_mails m WHERE m.sha256 = b.sha256))::float8 AS unreferred
    FROM (
      SELECT count(*)::float8 AS deliveries,
        count(*) FILTER (WHERE side = 'desk' AND kind = 'message')::float8 AS promised,
        count(*) FILTER (WHERE state = 'pending')::float8 AS pending,
        count(*) FILTER (WHERE state = 'leased')::float8 AS leased,
        count(*) FILTER (WHERE state = 'delivered')::float8 AS delivered,
        count(*) FILTER (WHERE state = 'rejected')::float8 AS rejected,
        count(*) FILTER (WHERE state = 'dead')::float8 AS dead,
        coalesce(sum(attempts), 0)::float8 AS counted
      FROM deliveries
    ) d, (
      SELECT count(*)::float8 AS mails,
        count(*) FILTER (WHERE state = 'received')::float8 AS unsettled,
        count(*) FILTER (WHERE settled_as = 'duplicate')::float8 AS duplicates,
        count(*) FILTER (WHERE settled_as = 'bounce')::float8 AS bounces,
        count(*) FILTER (WHERE settled_as = 'automatic')::float8 AS automatic,
        count(*) FILTER (WHERE settled_as = 'reply')::float8 AS replies,
        count(*) FILTER (WHERE settled_as = 'new_ticket')::float8 AS "newTickets",
        count(*) FILTER (WHERE settled_as = 'quarantined')::float8 AS quarantined
      FROM inbound_mails
    ) i`
  if (counts === undefined) throw new Error('the database counts nothing')
  return counts
}

/** Do numbers in equal numbers out? An attempt that a lease is for is counted before it has ended. */
export function agree(counts: Counts): boolean {
  const { pending, leased, delivered, rejected, dead } = counts
  return (
    counts.tickets === counts.made &&
    counts.messages === counts.promised &&
    counts.deliveries === pending + leased + delivered + rejected + dead &&
    counts.counted === counts.attempts + leased &&
    counts.mails === counts.unsettled + settled(counts)
  )
}

/** Mails that were settled, as whatever. */
function settled(counts: Counts): number {
  const { duplicates, bounces, automatic, replies, newTickets, quarantined } = counts
  return duplicates + bounces + automatic + replies + newTickets + quarantined
}
