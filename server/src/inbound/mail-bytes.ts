import { createHash, createHmac, type Hash, type Hmac } from 'node:crypto'
import { setImmediate as nextTurn } from 'node:timers/promises'

/** Bytes of a mail, at most; a larger one is not taken, or by IMAP its head alone. */
export const INBOUND_MAIL_BYTES = 25 * 1024 * 1024

/** Bytes that are digested at a time, about a millisecond of work, so that nobody else waits for a large mail. */
const SLICE = 1024 * 1024

/** SHA-256 of a mail. */
export async function digestMail(raw: Buffer): Promise<Buffer> {
  return (await inSlices(createHash('sha256'), raw)).digest()
}

/** HMAC-SHA-256 of a text and then a mail (RFC 2104). */
export async function macMail(key: Buffer, before: string, raw: Buffer): Promise<Buffer> {
  return (await inSlices(createHmac('sha256', key).update(before), raw)).digest()
}

async function inSlices<T extends Hash | Hmac>(digest: T, raw: Buffer): Promise<T> {
  for (let start = 0; start < raw.length; start += SLICE) {
    if (start > 0) await nextTurn()
    digest.update(raw.subarray(start, start + SLICE))
  }
  return digest
}
