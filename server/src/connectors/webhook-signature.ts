import { createHmac } from 'node:crypto'
import { inTurns } from './in-turns.ts'
import type { ComposedWebhook } from './webhook-message.ts'

/**
 * The signature scheme of Standard Webhooks 1.0.0, symmetric: `v1,` and the base64 of HMAC-SHA256 over the
 * id, the time and the body, with dots between. The scheme's own library signs strings only: it would hold
 * a body of many megabytes three times more, and hash it in one go.
 */

/** The bytes of a secret as the brands file has it: base64 after `whsec_`. */
export function readSecret(secret: string): Buffer {
  return Buffer.from(secret.slice('whsec_'.length), 'base64')
}

/** @param seconds of the attempt, since 1970, or a time as it was written */
export async function signWebhook(
  key: Buffer,
  id: string,
  seconds: number | string,
  body: ComposedWebhook,
): Promise<string> {
  const mac = createHmac('sha256', key).update(`${id}.${seconds}.`)
  for await (const piece of inTurns(body.pieces())) mac.update(piece)
  return `v1,${mac.digest('base64')}`
}
