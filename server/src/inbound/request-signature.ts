import { randomBytes, timingSafeEqual } from 'node:crypto'
import { AppError } from '../errors.ts'
import { macMail } from './mail-bytes.ts'

/** Seconds that the clock of whoever sends may be apart from ours. */
const APART = 300

/** What a brand without a secret, and one that is not there, is judged by: as long as any, and nobody has it. */
const NOBODYS_KEY = randomBytes(32)

/** What the headers of a signed request say: the time in seconds since 1970 as written, and the signature. */
export type WrittenSignature = { timestamp: string; mac: Buffer }

/**
 * Reads the headers of a signed request before its body is looked at.
 * @param headers as Node gives them; one that came twice is not one
 * @param now epoch milliseconds
 * @throws AppError `unauthorized` where they are not there, not well-formed, or more than five minutes from now
 */
export function readSignature(
  headers: Record<string, string | string[] | undefined>,
  now: number,
): WrittenSignature {
  const timestamp = headers['bellhop-timestamp']
  const signature = headers['bellhop-signature']
  if (typeof timestamp !== 'string' || !/^\d{1,12}$/.test(timestamp)) throw unsigned()
  const hex = typeof signature === 'string' ? /^v1=([0-9a-f]{64})$/.exec(signature)?.[1] : undefined
  if (hex === undefined) throw unsigned()
  if (Math.abs(now / 1000 - Number(timestamp)) > APART) throw unsigned()
  return { timestamp, mac: Buffer.from(hex, 'hex') }
}

/**
 * Judges a request's signature: HMAC-SHA-256 over the timestamp, a dot and the raw bytes. A brand without a secret is
 * judged like any other, with a key that nobody has, so that neither the answer nor its time tells which brands there
 * are.
 * @throws AppError `unauthorized`
 */
export async function judgeSignature(
  secret: Buffer | null,
  { timestamp, mac }: WrittenSignature,
  raw: Buffer,
): Promise<void> {
  const expected = await macMail(secret ?? NOBODYS_KEY, `${timestamp}.`, raw)
  if (!timingSafeEqual(expected, mac) || secret === null) throw unsigned()
}

function unsigned(): AppError {
  return new AppError(
    'unauthorized',
    'The request must be signed: Bellhop-Timestamp within five minutes, and Bellhop-Signature: v1= and the HMAC-SHA-256 in hexadecimal.',
    { headers: { 'www-authenticate': 'Bellhop-Signature realm="bellhop"' } },
  )
}
