import { createPublicKey } from 'node:crypto'
import type { KeySet, SigningAlgorithm } from './brands.ts'
import { isMap } from './mistakes.ts'
import { readBounded } from './read-bounded.ts'

/** The private parts of RSA, EC, OKP and AKP keys (RFC 7518, section 6; RFC 8037, section 2). */
const PRIVATE_PARTS = ['d', 'p', 'q', 'dp', 'dq', 'qi', 'oth', 'priv']
const CURVES: Partial<Record<SigningAlgorithm, string>> = { ES256: 'P-256', ES384: 'P-384', ES512: 'P-521' }
/** RFC 7518, section 3.3. */
const RSA_BITS = 2048

/**
 * Reads an issuer's public keys (RFC 7517, section 5) from a file. Keys of an unknown kind are kept and let
 * be, as the RFC says; at least one must serve one of the issuer's algorithms.
 * @returns the keys, or sentences that say what is wrong with the file and repeat no value
 */
export async function readKeySet(path: string, algorithms: SigningAlgorithm[]): Promise<KeySet | string[]> {
  const file = await readBounded(path)
  if (typeof file === 'string') return [`expected a file that can be read (${file})`]
  const set = parseKeySet(file)
  if (set === null) return ['expected a JSON Web Key Set in the file, {"keys": […]}']
  const faults = set.keys.flatMap((key, index) => {
    const fault = keyFault(key)
    return fault === null ? [] : [`expected ${fault} at keys[${index}] in the file`]
  })
  if (faults.length > 0) return faults
  const served = set.keys.some((key) => algorithms.some((algorithm) => serves(key, algorithm)))
  return served || algorithms.length === 0
    ? set
    : [`expected a key for ${algorithms.join(' or ')} in the file`]
}

function parseKeySet(file: Buffer): KeySet | null {
  try {
    const set: unknown = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(file))
    if (!isMap(set) || !Array.isArray(set.keys)) return null
    return set.keys.every(isMap) ? { keys: set.keys } : null
  } catch {
    return null
  }
}

function keyFault(key: Record<string, unknown>): string | null {
  if (key.kty === 'oct') return 'a public key and no symmetric one'
  if (PRIVATE_PARTS.some((part) => Object.hasOwn(key, part))) return 'only the public half of the key'
  if (!['RSA', 'EC', 'OKP'].includes(String(key.kty))) return null
  try {
    const { asymmetricKeyDetails } = createPublicKey({ key, format: 'jwk' })
    const bits = asymmetricKeyDetails?.modulusLength
    return bits === undefined || bits >= RSA_BITS ? null : `an RSA key of at least ${RSA_BITS} bits`
  } catch {
    return 'a valid public key'
  }
}

function serves(key: Record<string, unknown>, algorithm: SigningAlgorithm): boolean {
  if (key.use !== undefined && key.use !== 'sig') return false
  if (key.alg !== undefined && key.alg !== algorithm) return false
  if (algorithm === 'EdDSA') return key.crv === 'Ed25519'
  return CURVES[algorithm] === undefined ? key.kty === 'RSA' : key.crv === CURVES[algorithm]
}
