import type { Executor } from '../database/pool.ts'
import { newUuid } from '../ids.ts'
import type { Actor } from './conversation.ts'

/** Something that an operator does about an address. */
type OfAddress = Actor & {
  brandId: string
  ticketId: string
  /** As `comparableAddress` writes it. */
  address: string
}

/** Adds somebody who hears the answers and may speak. @returns whether they were not there yet */
export async function addParticipant(
  tx: Executor,
  what: OfAddress & { name: string | null },
): Promise<boolean> {
  const rows = await tx`
    WITH added AS (
      INSERT INTO participants (brand_id, ticket_id, address, name)
      VALUES (${what.brandId}, ${what.ticketId}, ${what.address}, ${what.name})
      ON CONFLICT DO NOTHING RETURNING brand_id, ticket_id
    )
    ${auditOf(tx, what, 'participant.added', tx`added`)}`
  return rows.length > 0
}

/** @returns whether they were there */
export async function removeParticipant(tx: Executor, what: OfAddress): Promise<boolean> {
  const rows = await tx`
    WITH removed AS (
      DELETE FROM participants
      WHERE brand_id = ${what.brandId} AND ticket_id = ${what.ticketId} AND address = ${what.address}
      RETURNING brand_id, ticket_id
    )
    ${auditOf(tx, what, 'participant.removed', tx`removed`)}`
  return rows.length > 0
}

/** From now on mail goes again to an address that refused it, on every ticket of the brand. @returns whether it had */
export async function clearAddress(tx: Executor, what: OfAddress): Promise<boolean> {
  const rows = await tx`
    WITH cleared AS (
      DELETE FROM bounced_addresses WHERE brand_id = ${what.brandId} AND address = ${what.address}
      RETURNING brand_id, ${what.ticketId}::uuid AS ticket_id
    )
    ${auditOf(tx, what, 'address.cleared', tx`cleared`)}`
  return rows.length > 0
}

/** From now on the ticket's answers go to another address, and mail from it is the requester's. */
export async function correctAddress(tx: Executor, what: OfAddress & { proven: boolean }): Promise<void> {
  await tx`
    WITH corrected AS (
      UPDATE tickets SET requester_email = ${what.address}, address_proven = ${what.proven}
      WHERE brand_id = ${what.brandId} AND id = ${what.ticketId}
      RETURNING brand_id, id AS ticket_id
    )
    ${auditOf(tx, what, 'address.corrected', tx`corrected`)}`
}

function auditOf(tx: Executor, { actor, actorId }: Actor, action: string, done: ReturnType<Executor>) {
  return tx`
    INSERT INTO audit_entries (brand_id, id, actor, actor_id, action, ticket_id)
    SELECT brand_id, ${newUuid()}::uuid, ${actor}, ${actorId}, ${action}, ticket_id FROM ${done}
    RETURNING id`
}

/** Whether mail to an address of the brand was refused for good. */
export async function hasBounced(tx: Executor, brandId: string, address: string): Promise<boolean> {
  const rows = await tx`SELECT FROM bounced_addresses WHERE brand_id = ${brandId} AND address = ${address}`
  return rows.length > 0
}
