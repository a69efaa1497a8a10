import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto'
import { OperatorError } from './errors.ts'
import { readOrMakeFile } from './made-once.ts'

/** Bytes of a secret that Bellhop makes. */
const SECRET_BYTES = 32
/** Bytes of a signature that a token carries: 128 bits, of which a guess has none. */
const MAC_BYTES = 16
const TOKEN = /^([A-Za-z0-9_-]*)\.[A-Za-z0-9_-]{22}$/

/**
 * A secret that Bellhop makes itself, once, and keeps in DATA_DIR for its owner's eyes only. Whoever comes at the
 * same moment gets the same one.
 * @param name of the file
 * @throws OperatorError where DATA_DIR cannot be written, or the file in it holds no such secret
 */
export async function readOrMakeSecret(dataDir: string, name: string): Promise<Buffer> {
  const make = () => `${randomBytes(SECRET_BYTES).toString('base64')}\n`
  return parseSecret(await readOrMakeFile(dataDir, name, make), name)
}

/**
 * A text that only we can have made, for an address or an answer: the payload, readable by anyone, and an
 * HMAC-SHA-256 over it and its purpose.
 * @param purpose what it is good for, with whatever binds it: who may use it, and for which question
 */
export function signToken(secret: Buffer, purpose: string, payload: string): string {
  return `${Buffer.from(payload).toString('base64url')}.${macOf(secret, purpose, payload).toString('base64url')}`
}

/** @returns the payload; null where we did not make the token for this purpose, to the letter */
export function readToken(secret: Buffer, purpose: string, token: string): string | null {
  const [, encoded] = TOKEN.exec(token) ?? []
  if (encoded === undefined) return null
  const payload = Buffer.from(encoded, 'base64url').toString()
  const made = Buffer.from(signToken(secret, purpose, payload))
  const given = Buffer.from(token)
  return made.length === given.length && timingSafeEqual(made, given) ? payload : null
}

// JSON keeps the border between the two.
function macOf(secret: Buffer, purpose: string, payload: string): Buffer {
  const mac = createHmac('sha256', secret).update(JSON.stringify([purpose, payload]))
  return mac.digest().subarray(0, MAC_BYTES)
}

function parseSecret(text: string, name: string): Buffer {
  const secret = Buffer.from(text.trim(), 'base64')
  if (secret.length >= SECRET_BYTES) return secret
  throw new OperatorError(
    `DATA_DIR: expected ${SECRET_BYTES} bytes in base64 in ${name}; remove the file, and a new secret is made`,
  )
}
