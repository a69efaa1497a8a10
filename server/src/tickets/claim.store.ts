import type { Executor } from '../database/pool.ts'
import { newUuid } from '../ids.ts'
import { comparableAddress } from '../mail/address.ts'

/** How many tickets are claimed at a time. */
const CLAIMED_AT_ONCE = 100

export type Claim = {
  brandId: string
  issuer: string
  personId: string
  /** Which the issuer says is theirs. */
  email: string
  /** Only this one; null: all. */
  ticketId: string | null
}

/**
 * Makes tickets that came by authenticated mail from this address, and that nobody has claimed, the person's own.
 * Nothing moves that a customer could see.
 * @returns how many there were, of at most {@link CLAIMED_AT_ONCE}
 */
export async function claimTickets(sql: Executor, claim: Claim): Promise<number> {
  const { brandId, issuer, personId, ticketId } = claim
  const ids = JSON.stringify(
    Array.from({ length: ticketId === null ? CLAIMED_AT_ONCE : 1 }, (_, index) => ({
      place: index + 1,
      audit_id: newUuid(),
    })),
  )
  const rows = await sql`
    WITH unclaimed AS (
      SELECT id FROM tickets
      WHERE brand_id = ${brandId} AND requester_email = ${comparableAddress(claim.email)}
        AND person_id IS NULL AND via = 'mail' AND address_proven
        AND (${ticketId}::uuid IS NULL OR id = ${ticketId}::uuid)
      -- In one order, so that two who claim the same ones do not wait for each other.
      ORDER BY id LIMIT ${CLAIMED_AT_ONCE}
      FOR UPDATE
    ),
    claimed AS (
      UPDATE tickets t SET issuer = ${issuer}, person_id = ${personId}
      FROM unclaimed WHERE t.brand_id = ${brandId} AND t.id = unclaimed.id AND t.person_id IS NULL
      RETURNING t.id
    )
    INSERT INTO audit_entries (brand_id, id, actor, action, ticket_id)
    SELECT ${brandId}, ids.audit_id, 'person', 'ticket.claimed', c.id
    FROM (SELECT id, row_number() OVER () AS place FROM claimed) c
    JOIN json_to_recordset(${ids}::text::json) AS ids(place bigint, audit_id uuid) USING (place)
    RETURNING id`
  return rows.length
}
