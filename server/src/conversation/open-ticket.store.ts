import type { Executor } from '../database/pool.ts'

/** Acknowledgements to one address of a brand, in whatever case, within an hour; what comes beyond has none. */
export const ACKNOWLEDGEMENTS_PER_HOUR = 10

export type MailTicketRow = {
  brandId: string
  ticketId: string
  requesterEmail: string
  requesterName: string | null
  addressProven: boolean
  subject: string
}

/** Keeps a ticket that came by mail and has no person. */
export async function insertMailTicket(tx: Executor, row: MailTicketRow): Promise<void> {
  await tx`
    INSERT INTO tickets (brand_id, id, via, requester_email, requester_name, address_proven, subject)
    VALUES (${row.brandId}, ${row.ticketId}, 'mail', ${row.requesterEmail}, ${row.requesterName}, ${row.addressProven},
      ${row.subject})`
}

/** Whether one more acknowledgement may go to an address: it did not bounce, and had not too many lately. */
export async function mayAcknowledge(tx: Executor, brandId: string, address: string): Promise<boolean> {
  const [row] = await tx<{ may: boolean }[]>`
    SELECT NOT EXISTS (SELECT FROM bounced_addresses WHERE brand_id = ${brandId} AND address = ${address})
      AND (SELECT count(*) FROM deliveries
        WHERE brand_id = ${brandId} AND lower(recipient) = lower(${address}) AND kind = 'acknowledgement'
          AND created_at > now() - interval '1 hour') < ${ACKNOWLEDGEMENTS_PER_HOUR} AS may`
  return row?.may ?? false
}
