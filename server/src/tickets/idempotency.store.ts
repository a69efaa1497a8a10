import { type Executor, isLockTimeout } from '../database/pool.ts'
import { IDEMPOTENCY_WAIT, idempotencyConflict } from './idempotency.ts'
import type { IdempotencyKeyRow } from './new-ticket.store.ts'

/** Whose key it is. */
export type KeyHolder = { messageId: string; requestHash: Buffer }

/**
 * Until the end of the transaction nobody else does what this key stands for. From here on it waits for no lock
 * longer than an equal request may.
 * @throws AppError `idempotency_conflict` where another still works on it then
 */
export async function lockKey(tx: Executor, { digest }: IdempotencyKeyRow): Promise<void> {
  try {
    await tx`
      SELECT set_config('lock_timeout', ${`${IDEMPOTENCY_WAIT}ms`}, true),
        pg_advisory_xact_lock(${digest.readBigInt64BE().toString()}::bigint)`
  } catch (error) {
    throw isLockTimeout(error) ? idempotencyConflict() : error
  }
}

/** Who has the key; null: nobody, or not any more. */
export async function findKey(
  tx: Executor,
  brandId: string,
  { digest }: IdempotencyKeyRow,
): Promise<KeyHolder | null> {
  const [row] = await tx<KeyHolder[]>`
    SELECT message_id AS "messageId", request_hash AS "requestHash" FROM idempotency_keys
    WHERE brand_id = ${brandId} AND digest = ${digest} AND expires_at > now()`
  return row ?? null
}

/**
 * Takes the key for a message, for 24 h. A new ticket may have taken it meanwhile: it asks for no lock but the row's.
 * @returns who has it now
 */
export async function takeKey(
  tx: Executor,
  brandId: string,
  { digest, requestHash }: IdempotencyKeyRow,
  messageId: string,
): Promise<KeyHolder> {
  const [row] = await tx<KeyHolder[]>`
    INSERT INTO idempotency_keys AS held (brand_id, digest, request_hash, message_id, expires_at)
    VALUES (${brandId}, ${digest}, ${requestHash}, ${messageId}, now() + interval '24 hours')
    ON CONFLICT (brand_id, digest) DO UPDATE SET
      request_hash = CASE WHEN held.expires_at <= now() THEN excluded.request_hash ELSE held.request_hash END,
      message_id = CASE WHEN held.expires_at <= now() THEN excluded.message_id ELSE held.message_id END,
      expires_at = CASE WHEN held.expires_at <= now() THEN excluded.expires_at ELSE held.expires_at END
    RETURNING message_id AS "messageId", request_hash AS "requestHash"`
  if (row === undefined) throw new Error('a key was taken and is not there')
  return row
}
