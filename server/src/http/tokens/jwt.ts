import { errors, type JWTPayload, jwtVerify } from 'jose'
import type { JwtIssuer } from '../../config.ts'
import type { AppError } from '../../errors.ts'
import { CLOCK_TOLERANCE } from '../../tickets/caller.ts'
import { callerOf } from './claims.ts'
import type { KeySet } from './key-set.ts'
import { type KeyHolder, keysAway } from './keys.ts'
import { isRefusal, type RefusalReason, refusal } from './refusals.ts'
import type { Verified } from './verified.ts'

/** Milliseconds that a verified token is remembered. */
export const JWT_REMEMBERED = 60_000

/** RFC 9068, section 4, and RFC 7519, section 5.1, in lower case and without `application/`. */
const TYPES: readonly unknown[] = ['jwt', 'at+jwt']

export type JwtVerifier = {
  /**
   * @param header the token's header as read, not yet verified
   * @throws AppError `unauthorized`, or `unavailable` where the issuer's keys cannot be had
   */
  verify(token: string, header: Record<string, unknown>): Promise<Verified>
}

export function createJwtVerifier(issuer: JwtIssuer, keys: KeyHolder, now: () => number): JwtVerifier {
  async function check(token: string, set: KeySet): Promise<Verified> {
    const at = now()
    const claims = await verifySignatureAndClaims(token, set, issuer, at)
    const expires = (claims.exp ?? 0) * 1000
    return {
      caller: callerOf(issuer.issuer, claims),
      from: at,
      until: Math.min(expires, at + JWT_REMEMBERED),
      signedBy: { keys, set },
    }
  }

  return {
    async verify(token, header) {
      checkHeader(header, issuer)
      const fetches = keys.fetches
      const set = await keys.get()
      try {
        return await check(token, set)
      } catch (error) {
        if (!mayBeNewKey(error)) throw refusalOf(error)
        // Keys that came while this token waited have no newer ones behind them.
        const asked = keys.fetches !== fetches || (await keys.lookAgain())
        const newer = keys.current
        // The issuer is away, and may have the key that the token names: to refuse it would be a guess.
        if (!asked && header.kid !== undefined && !set.has(header.kid)) throw keysAway()
        if (newer === null || newer === set) throw refusalOf(error)
        return await check(token, newer).catch((failure: unknown) => Promise.reject(refusalOf(failure)))
      }
    },
  }
}

/**
 * What needs no key. `jwk`, `jku`, `x5u` and `x5c` are read by nobody: keys come from the issuer alone.
 * `crit` names extensions that must be understood (RFC 7515, section 4.1.11), and none is.
 */
function checkHeader(header: Record<string, unknown>, issuer: JwtIssuer): void {
  const allowed: readonly unknown[] = issuer.algorithms
  if (!allowed.includes(header.alg) || Object.hasOwn(header, 'crit')) throw refusal('header')
  if (Object.hasOwn(header, 'kid') && typeof header.kid !== 'string') throw refusal('header')
  if (!Object.hasOwn(header, 'typ')) return
  const typ = header.typ
  if (typeof typ !== 'string' || !TYPES.includes(typ.toLowerCase().replace(/^application\//, ''))) {
    throw refusal('header')
  }
}

/** RFC 7519, section 7.2, by jose; `exp` and `aud` required as RFC 9068, section 4 has them. */
async function verifySignatureAndClaims(
  token: string,
  set: KeySet,
  issuer: JwtIssuer,
  at: number,
): Promise<JWTPayload> {
  const options = {
    algorithms: issuer.algorithms,
    issuer: issuer.issuer,
    audience: issuer.audience,
    requiredClaims: ['exp'],
    clockTolerance: CLOCK_TOLERANCE,
    currentDate: new Date(at),
  }
  try {
    return (await jwtVerify(token, set.find, options)).payload
  } catch (error) {
    if (!(error instanceof errors.JWKSMultipleMatchingKeys)) throw error
    // Without a `kid` several keys may fit, and only trying tells which.
    for await (const key of error) {
      try {
        return (await jwtVerify(token, key, options)).payload
      } catch (failure) {
        if (!(failure instanceof errors.JWSSignatureVerificationFailed)) throw failure
      }
    }
    throw new errors.JWSSignatureVerificationFailed()
  }
}

/** A key with a new `kid`, or one that an issuer without `kid`s, or with careless ones, has put in another's place. */
function mayBeNewKey(error: unknown): boolean {
  return error instanceof errors.JWKSNoMatchingKey || error instanceof errors.JWSSignatureVerificationFailed
}

/** Whatever goes wrong with a token, it does not hold. jose's own error is left behind: it carries the claims. */
function refusalOf(error: unknown): AppError {
  if (isRefusal(error)) return error
  return refusal(error instanceof errors.JOSEError ? reasonOf(error) : 'signature')
}

function reasonOf(error: errors.JOSEError): RefusalReason {
  if (error instanceof errors.JWTExpired) return 'expired'
  if (!(error instanceof errors.JWTClaimValidationFailed)) return 'signature'
  if (error.claim === 'aud') return 'audience'
  return error.claim === 'nbf' && error.reason === 'check_failed' ? 'not_yet' : 'claims'
}
