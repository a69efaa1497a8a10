import { createLocalJWKSet, type JWK, type LocalJWKSet } from 'jose'

/** The keys that an issuer had at one time. A new object means that they have changed. */
export type KeySet = {
  /** The key for a header, by jose's rules (`kid`, `kty`, `alg`, `use`, `key_ops`, `crv`). */
  find: LocalJWKSet
  has(kid: unknown): boolean
  /** How many keys there are that can verify. */
  size: number
}

/**
 * From the members of a JWK Set (RFC 7517, section 5). Those that are not public keys are left out, as that
 * section asks: a symmetric key in a public set is no secret, and one odd member spoils no other.
 */
export function keySetOf(members: readonly unknown[]): KeySet {
  const keys = members.filter(isPublicKey)
  const kids = new Set(keys.map((key) => key.kid))
  return {
    find: createLocalJWKSet({ keys }),
    has: (kid) => typeof kid === 'string' && kids.has(kid),
    size: keys.length,
  }
}

function isPublicKey(member: unknown): member is JWK {
  if (typeof member !== 'object' || member === null || !('kty' in member)) return false
  return ['EC', 'RSA', 'OKP'].includes(String(member.kty)) && !('d' in member)
}
