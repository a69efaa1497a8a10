import type { Caller } from '../../tickets/caller.ts'
import { refusal } from './refusals.ts'

/**
 * The caller that these claims describe, frozen, since one caller serves many requests. They are a token's
 * claims whose signature has held (RFC 7519, RFC 9068), or the answer of an introspection (RFC 7662).
 *
 * `scope` is a string of names with spaces between (RFC 8693, section 4.2) or a list; anything else in it
 * gives no scope.
 * @throws AppError `unauthorized` where `sub` or `client_id` is there and is not a name
 */
export function callerOf(issuer: string, claims: Record<string, unknown>): Caller {
  return Object.freeze({
    issuer,
    claims: Object.freeze(claims),
    subject: nameIn(claims, 'sub'),
    clientId: nameIn(claims, 'client_id'),
    scopes: Object.freeze(scopesIn(claims)),
  })
}

/** Null is not "absent": a token must not become one without a user because its `sub` went wrong. */
function nameIn(claims: Record<string, unknown>, claim: 'sub' | 'client_id'): string | null {
  if (!Object.hasOwn(claims, claim)) return null
  const value = claims[claim]
  if (typeof value !== 'string' || value === '') throw refusal('claims')
  return value
}

function scopesIn(claims: Record<string, unknown>): string[] {
  const scope = Object.hasOwn(claims, 'scope') ? claims.scope : undefined
  const names: unknown[] = typeof scope === 'string' ? scope.split(' ') : Array.isArray(scope) ? scope : []
  return names.filter((name): name is string => typeof name === 'string' && name !== '')
}
