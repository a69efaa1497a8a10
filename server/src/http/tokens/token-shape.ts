/**
 * What kind of token this is, by its form alone. Nothing read here is verified: it decides only who is
 * asked about the token.
 */
export type TokenShape =
  | { kind: 'jws'; header: Record<string, unknown>; issuer: string | null }
  | { kind: 'jwe' }
  | { kind: 'opaque' }

/**
 * A JWS (RFC 7515, section 7.1) has three parts and a JWE (RFC 7516, section 7.1) five, and the first of
 * them is a JSON object in base64url. An opaque token may have dots of its own, and is told by that.
 */
export function shapeOf(token: string): TokenShape {
  const parts = token.split('.', 6)
  if (parts.length !== 3 && parts.length !== 5) return { kind: 'opaque' }
  const header = jsonObject(parts[0] ?? '')
  if (header === null) return { kind: 'opaque' }
  if (parts.length === 5) return { kind: 'jwe' }
  if (!Object.hasOwn(header, 'alg')) return { kind: 'opaque' }
  const issuer = jsonObject(parts[1] ?? '')?.iss
  return { kind: 'jws', header, issuer: typeof issuer === 'string' ? issuer : null }
}

function jsonObject(part: string): Record<string, unknown> | null {
  try {
    const value: unknown = JSON.parse(Buffer.from(part, 'base64url').toString())
    return isObject(value) ? value : null
  } catch {
    return null
  }
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
