import type { IntrospectionIssuer, JwtIssuer } from '../../config.ts'
import { AppError } from '../../errors.ts'
import type { Introspector } from './introspection.ts'
import { IssuerCallError } from './issuer-call.ts'
import type { KeySet } from './key-set.ts'
import type { KeyHolder } from './keys.ts'

/** What `bellhop doctor` prints of an issuer: one line, with what to do where it is not well. */
export type IssuerVerdict = { ok: boolean; detail: string }

/** @param keys a holder of its own, so that the issuer is asked and no memory answers */
export async function checkKeys(issuer: JwtIssuer, keys: KeyHolder): Promise<IssuerVerdict> {
  try {
    const set = await keys.get()
    const usable = await usableAlgorithms(issuer, set)
    if (usable.length > 0) return { ok: true, detail: `keys: ${set.size}, for ${usable.join(', ')}` }
    const wanted = issuer.algorithms.join(', ')
    return {
      ok: false,
      detail: `keys: ${set.size}, none for ${wanted}; set algorithms to what the issuer signs with`,
    }
  } catch (error) {
    const place = issuer.keys.from === 'uri' ? 'jwks_uri' : 'issuer, whose discovery gives no keys'
    return { ok: false, detail: `${faultOf(error)}: check ${place}; see that this host reaches it` }
  }
}

async function usableAlgorithms(issuer: JwtIssuer, set: KeySet): Promise<string[]> {
  const found = issuer.algorithms.map(async (alg) => {
    try {
      await set.find({ alg })
      return [alg]
    } catch (error) {
      return error instanceof Error && 'code' in error && error.code === 'ERR_JWKS_MULTIPLE_MATCHING_KEYS'
        ? [alg]
        : []
    }
  })
  return (await Promise.all(found)).flat()
}

/** Asks about a token that nobody has issued: an issuer that calls it active would let everyone in. */
export async function checkIntrospection(
  issuer: IntrospectionIssuer,
  introspector: Introspector,
  newToken: () => string,
): Promise<IssuerVerdict> {
  try {
    const active = await introspector.isActive(`${issuer.tokenPrefix ?? ''}${newToken()}`)
    if (active)
      return { ok: false, detail: 'it calls a token active that nobody has issued: check the endpoint' }
    return { ok: true, detail: 'it answers about tokens' }
  } catch (error) {
    const status = error instanceof IssuerCallError ? error.status : null
    const what =
      status === 401 || status === 403
        ? 'client_id and client_secret'
        : 'endpoint, and that this host reaches it'
    return { ok: false, detail: `${faultOf(error)}: check ${what}` }
  }
}

const FAULT = {
  unreachable: 'it cannot be reached',
  timeout: 'it does not answer in time',
  redirect: 'it answers with a redirect, which is not followed',
  status: 'it answers with status',
  too_large: 'its answer is larger than 256 KiB',
  not_json: 'its answer is not JSON',
  invalid: 'its answer is JSON, but not what it should be',
} as const

function faultOf(error: unknown): string {
  const cause = error instanceof AppError ? error.cause : error
  if (!(cause instanceof IssuerCallError)) throw error
  return cause.fault === 'status' ? `${FAULT.status} ${cause.status}` : FAULT[cause.fault]
}
