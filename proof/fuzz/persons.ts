import { createHash, createHmac, createPrivateKey, createPublicKey, type KeyObject, sign } from 'node:crypto'
import { CANARY } from './values.ts'

export const ISSUER = 'https://login.fuzz.example'
export const AUDIENCE = 'bellhop'
export const ALGORITHM = 'EdDSA'

/** Brands by what they are there for; all have the built-in inbox. */
export const BRANDS = { plain: 'acme', other: 'globex', limited: 'initech', scoped: 'umbrella' } as const
/** What the brand `scoped` asks for. */
export const SCOPE = 'write:support-tickets'
export const ORIGIN = 'https://app.fuzz.example'

/** Somebody with a token that holds for one brand. */
export type Person = { id: string; brand: string; token: string }

export type People = {
  /** Their tickets are accepted without a limit. */
  persons: Person[]
  /** Of the brand with a limit. */
  limited: Person[]
  /** Of the brand whose scope their tokens lack. */
  unscoped: Person[]
  /** Tokens that look well and do not hold, by what is wrong with them. */
  bad: { what: string; token: string }[]
  /** For the brands file. */
  jwks: object
}

const COUNT = 400

/** Of all tokens that hold: moments of no run, so that the same seed makes the same tokens on any day. */
const ISSUED = Date.UTC(2020, 0) / 1000
const ENDS = Date.UTC(2100, 0) / 1000

/**
 * An issuer without a network, its people, and its forgers. The same seed makes the same tokens to the last byte,
 * so that a failure is found again: hence EdDSA (RFC 8032), whose signatures are not random as ECDSA's are.
 */
export function invitePeople(seed: number): People {
  const privateKey = keyOf(`issuer ${seed}`)
  const stranger = keyOf(`stranger ${seed}`)
  const publicKey = createPublicKey(privateKey)
  const publicJwk = { ...publicKey.export({ format: 'jwk' }), kid: 'fuzz', alg: ALGORITHM, use: 'sig' }
  const claimsOf = (id: string, brand: string) => ({
    ...{ iss: ISSUER, aud: AUDIENCE, sub: id, brand, iat: ISSUED, exp: ENDS },
  })
  const make = (count: number, of: string, brands: string[], more: object = {}) =>
    Array.from({ length: count }, (_, index): Person => {
      const id = `per_${CANARY}_${of}_${index}`
      const brand = brands[index % brands.length] ?? ''
      return { id, brand, token: signed(privateKey, {}, { ...claimsOf(id, brand), ...more }) }
    })
  const bad = (what: string, header: object, claims: object, key = privateKey) => {
    const whole = { ...claimsOf(`per_${CANARY}_bad`, BRANDS.plain), ...claims }
    return { what, token: signed(key, header, whole) }
  }
  const claims = claimsOf(`per_${CANARY}_bad`, BRANDS.plain)
  const unsigned = `${part({ alg: 'none', typ: 'at+jwt' })}.${part(claims)}.`
  const hmacInput = `${part({ alg: 'HS256', typ: 'at+jwt', kid: 'fuzz' })}.${part(claims)}`
  const hmac = createHmac('sha256', JSON.stringify(publicJwk)).update(hmacInput).digest('base64url')
  return {
    persons: make(COUNT, 'plain', [BRANDS.plain, BRANDS.other]),
    limited: make(4, 'limited', [BRANDS.limited]),
    unscoped: make(4, 'unscoped', [BRANDS.scoped], { scope: 'read:other' }),
    bad: [
      bad('expired', {}, { exp: ISSUED + 3600 }),
      bad('not yet valid', {}, { nbf: ENDS - 3600 }),
      bad('without an end', {}, { exp: undefined }),
      bad('of another issuer', {}, { iss: 'https://login.elsewhere.example' }),
      bad('for another audience', {}, { aud: `${CANARY}-elsewhere` }),
      bad('signed by a stranger', {}, {}, stranger),
      bad('of an unknown key', { kid: `${CANARY}-kid` }, {}),
      bad('with a critical extension', { crit: ['x'], x: 1 }, {}),
      bad('of another type', { typ: 'secevent+jwt' }, {}),
      { what: 'signed with nothing', token: unsigned },
      { what: 'signed by HMAC with the public key', token: `${hmacInput}.${hmac}` },
      { what: 'opaque', token: `${CANARY}-opaque` },
    ],
    jwks: { keys: [publicJwk] },
  }
}

/** What PKCS #8 says before the 32 bytes of an Ed25519 key (RFC 8410, section 7). */
const PKCS8_HEAD = Buffer.from('302e020100300506032b657004220420', 'hex')

function keyOf(text: string): KeyObject {
  const bytes = createHash('sha256').update(text).digest()
  return createPrivateKey({ key: Buffer.concat([PKCS8_HEAD, bytes]), format: 'der', type: 'pkcs8' })
}

function part(value: object): string {
  return Buffer.from(JSON.stringify(value)).toString('base64url')
}

function signed(key: KeyObject, header: object, claims: object): string {
  const input = `${part({ alg: ALGORITHM, typ: 'at+jwt', kid: 'fuzz', ...header })}.${part(claims)}`
  const signature = sign(null, Buffer.from(input), key)
  return `${input}.${signature.toString('base64url')}`
}
