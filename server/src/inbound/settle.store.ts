import type { Executor } from '../database/pool.ts'

/** Seconds that a process has for a mail before another one takes it. */
export const LEASE = 60

/** A mail that this process settles. */
export type ClaimedMail = {
  brandId: string
  /** UUID. */
  mailId: string
  /** Of the bytes that were kept, in hexadecimal. */
  sha256: string
  size: number
  headOnly: boolean
  /** Together with the holder's name the fence: whoever claims it later has another. */
  attempt: number
  /** How often it was the fault of the mail that it was not settled, or may have been. */
  failures: number
  /** Seconds since it came. */
  age: number
}

/**
 * Claims mails that are due, of each brand the oldest first and of each in turn, so that one's backlog hides no
 * other's. Another process's lease that ran out counts as a failure: it may have died of the mail.
 */
export async function claimMails(
  sql: Executor,
  holder: string,
  brandIds: string[],
  limit: number,
): Promise<ClaimedMail[]> {
  return await sql<ClaimedMail[]>`
    WITH due AS MATERIALIZED (
      SELECT m.* FROM json_array_elements_text(${JSON.stringify(brandIds)}::text::json) AS b(brand_id)
      CROSS JOIN LATERAL (
        SELECT brand_id, id, due_at FROM inbound_mails
        WHERE brand_id = b.brand_id AND state = 'received' AND due_at <= now()
        ORDER BY due_at LIMIT ${limit}
        FOR UPDATE SKIP LOCKED
      ) m
    ),
    turns AS (
      SELECT brand_id, id FROM due ORDER BY row_number() OVER (PARTITION BY brand_id ORDER BY due_at), due_at
      LIMIT ${limit}
    )
    UPDATE inbound_mails m SET locked_by = ${holder}, attempts = m.attempts + 1,
      due_at = now() + make_interval(secs => ${LEASE}),
      failures = m.failures + CASE WHEN m.locked_by <> ${holder} THEN 1 ELSE 0 END
    FROM turns t WHERE m.brand_id = t.brand_id AND m.id = t.id
    RETURNING m.brand_id AS "brandId", m.id AS "mailId", encode(m.sha256, 'hex') AS sha256, m.size::float8 AS size,
      m.head_only AS "headOnly", m.attempts AS attempt, m.failures,
      extract(epoch FROM now() - m.received_at)::float8 AS age`
}

type Fence = Pick<ClaimedMail, 'brandId' | 'mailId' | 'attempt'>

/**
 * Gives a mail back, to be tried again.
 * @param delay seconds
 * @param failed whether the mail itself may be why
 */
export async function postponeMail(
  sql: Executor,
  holder: string,
  { brandId, mailId, attempt }: Fence,
  delay: number,
  failed: boolean,
): Promise<void> {
  await sql`
    UPDATE inbound_mails SET locked_by = NULL, due_at = now() + make_interval(secs => ${delay}),
      failures = failures + ${failed ? 1 : 0}
    WHERE brand_id = ${brandId} AND id = ${mailId} AND state = 'received' AND locked_by = ${holder}
      AND attempts = ${attempt}`
}

/** Holds the leases for longer, of mails that this process still has. */
export async function renewMails(sql: Executor, holder: string, held: Fence[]): Promise<void> {
  const asked = JSON.stringify(
    held.map(({ brandId, mailId, attempt }) => ({ brand_id: brandId, id: mailId, attempt })),
  )
  await sql`
    UPDATE inbound_mails m SET due_at = now() + make_interval(secs => ${LEASE})
    FROM json_to_recordset(${asked}::text::json) AS h(brand_id text, id uuid, attempt integer)
    WHERE m.brand_id = h.brand_id AND m.id = h.id AND m.state = 'received' AND m.locked_by = ${holder}
      AND m.attempts = h.attempt`
}

export type SettledAs = 'duplicate' | 'bounce' | 'automatic' | 'reply' | 'new_ticket' | 'quarantined'

/** What a mail was settled as. Ids are UUIDs. */
export type SettledMail = {
  settledAs: SettledAs
  reason: string | null
  mailMessageId: string | null
  authorAddress: string | null
  authenticated: boolean | null
  fingerprint: Buffer | null
  /** Where it was said; of a quarantined one, the ticket that it points to. */
  ticketId: string | null
  messageId: string | null
  deliveryId: string | null
}

/**
 * Writes down what a mail is settled as, if this process still holds it. First in its transaction: a second mail with
 * the fingerprint waits here for the first one's COMMIT, and fails then.
 * @returns whether it held it
 */
export async function settleRow(
  tx: Executor,
  holder: string,
  { brandId, mailId, attempt }: Fence,
  settled: SettledMail,
): Promise<boolean> {
  const rows = await tx`
    UPDATE inbound_mails SET state = 'settled', locked_by = NULL, settled_at = now(),
      settled_as = ${settled.settledAs}, reason = ${settled.reason}, mail_message_id = ${settled.mailMessageId},
      author_address = ${settled.authorAddress}, authenticated = ${settled.authenticated},
      fingerprint = ${settled.fingerprint}, ticket_id = ${settled.ticketId}, message_id = ${settled.messageId},
      delivery_id = ${settled.deliveryId}
    WHERE brand_id = ${brandId} AND id = ${mailId} AND state = 'received' AND locked_by = ${holder}
      AND attempts = ${attempt}
    RETURNING id`
  return rows.length > 0
}

/** Did another mail with the same fingerprint come first? Nothing of this one was done. */
export function isFingerprintTaken(error: unknown): boolean {
  const { code, constraint_name } = error as { code?: unknown; constraint_name?: unknown }
  return code === '23505' && constraint_name === 'inbound_mails_once'
}

export type BouncedDelivery = {
  brandId: string
  deliveryId: string
  mailId: string
  auditId: string
  code: string
  /** Whether nothing more goes to its address. */
  silences: boolean
}

/** What is late is still on its way, and stays as it is: that it was said to be is written down. */
export async function noteDelay(
  tx: Executor,
  { brandId, deliveryId, mailId, auditId }: Omit<BouncedDelivery, 'code' | 'silences'>,
): Promise<void> {
  await tx`
    INSERT INTO audit_entries
      (brand_id, id, actor, action, ticket_id, message_id, delivery_id, inbound_mail_id)
    SELECT d.brand_id, ${auditId}::uuid, 'system', 'delivery.delayed', m.ticket_id, d.message_id, d.id, ${mailId}::uuid
    FROM deliveries d JOIN messages m ON m.brand_id = d.brand_id AND m.id = d.message_id
    WHERE d.brand_id = ${brandId} AND d.id = ${deliveryId}`
}

/** Marks a delivery as one that came back; of two reports the one that says it is for good counts. */
export async function markBounced(tx: Executor, bounced: BouncedDelivery): Promise<void> {
  const { brandId, deliveryId, code } = bounced
  await tx`
    WITH marked AS (
      UPDATE deliveries SET
        bounce_code = CASE WHEN bounced_at IS NULL OR NOT starts_with(bounce_code, 'hard') THEN ${code} ELSE bounce_code END,
        bounced_at = coalesce(bounced_at, now())
      WHERE brand_id = ${brandId} AND id = ${deliveryId}
      RETURNING brand_id, id, message_id, recipient
    ),
    silenced AS (
      INSERT INTO bounced_addresses (brand_id, address, code, delivery_id)
      SELECT brand_id, recipient, ${code}, id FROM marked WHERE ${bounced.silences} AND recipient IS NOT NULL
      ON CONFLICT (brand_id, address) DO NOTHING
    )
    INSERT INTO audit_entries
      (brand_id, id, actor, action, ticket_id, message_id, delivery_id, inbound_mail_id)
    SELECT d.brand_id, ${bounced.auditId}::uuid, 'system', 'delivery.bounced', m.ticket_id, d.message_id, d.id,
      ${bounced.mailId}::uuid
    FROM marked d JOIN messages m ON m.brand_id = d.brand_id AND m.id = d.message_id`
}
