import { randomBytes, timingSafeEqual } from 'node:crypto'
import { signWebhook } from '../connectors/webhook-signature.ts'
import { AppError } from '../errors.ts'

/** Seconds that the clock of the desk may be apart from ours. */
const APART = 300
/** Signatures of one request: one for each secret while a secret is changed. */
const MOST_SIGNATURES = 10
const PIECE = 64 * 1024

/** What a brand without a webhook desk, and one that is not there, is judged by: nobody has it. */
const NOBODYS_KEY = randomBytes(32)

/** What the headers of a request that a desk has signed say. */
export type WrittenSignature = {
  id: string
  /** Seconds since 1970, as written. */
  timestamp: string
  /** Each `v1,` and base64. */
  signatures: string[]
}

/**
 * Reads the headers of a signed request (Standard Webhooks 1.0.0) before its body is looked at.
 * @param headers as Node gives them; one that came twice is not one
 * @param now epoch milliseconds
 * @throws AppError `unauthorized` where they are not there, not well-formed, or more than five minutes from now
 */
export function readSignature(
  headers: Record<string, string | string[] | undefined>,
  now: number,
): WrittenSignature {
  const { 'webhook-id': id, 'webhook-timestamp': timestamp, 'webhook-signature': list } = headers
  if (typeof id !== 'string' || !/^[\x21-\x7e]{1,255}$/.test(id)) throw unsigned()
  if (typeof timestamp !== 'string' || !/^\d{1,12}$/.test(timestamp)) throw unsigned()
  if (Math.abs(now / 1000 - Number(timestamp)) > APART) throw unsigned()
  const signatures = (typeof list === 'string' ? list.split(' ') : []).filter((one) => one.startsWith('v1,'))
  if (signatures.length === 0 || signatures.length > MOST_SIGNATURES) throw unsigned()
  return { id, timestamp, signatures }
}

/**
 * Judges a request's signature over its id, its time and its raw bytes. A brand without a webhook desk is judged
 * like any other, with a key that nobody has, so that neither the answer nor its time tells which brands there are.
 * @param secret of the desk; null: there is none
 * @throws AppError `unauthorized`
 */
export async function judgeSignature(
  secret: Buffer | null,
  { id, timestamp, signatures }: WrittenSignature,
  raw: Buffer,
): Promise<void> {
  const body = { size: raw.length, pieces: () => piecesOf(raw) }
  const expected = Buffer.from(await signWebhook(secret ?? NOBODYS_KEY, id, timestamp, body))
  let holds = false
  for (const signature of signatures) {
    const written = Buffer.from(signature)
    if (written.length === expected.length && timingSafeEqual(written, expected)) holds = true
  }
  if (!holds || secret === null) throw unsigned()
}

function* piecesOf(raw: Buffer): Generator<Buffer> {
  for (let start = 0; start < raw.length; start += PIECE) yield raw.subarray(start, start + PIECE)
}

function unsigned(): AppError {
  return new AppError(
    'unauthorized',
    'The request must be signed with the secret of the desk, as Standard Webhooks says, within five minutes.',
    { headers: { 'www-authenticate': 'Standard-Webhooks realm="bellhop"' } },
  )
}
