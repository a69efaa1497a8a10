import type { Brand } from '../config.ts'
import { AppError } from '../errors.ts'
import { type Caller, isWithoutUser } from './caller.ts'

/** Who files: the person themselves, or a trusted client for them. */
export type Actor = { kind: 'person' } | { kind: 'client'; clientId: string }

/**
 * Denies by default: may this caller speak for this brand and this person? In this order: the issuer and the
 * token's brand, the person, the scope.
 * @throws AppError `forbidden_brand`, `forbidden_person`, `insufficient_scope`
 */
export function judgeOwner(caller: Caller, brand: Brand, personId: string): Actor {
  if (!speaksFor(caller, brand)) {
    throw new AppError('forbidden_brand', 'The access token does not speak for brand_id.')
  }
  const actor = actorFor(caller, brand, personId)
  if (actor === null) throw new AppError('forbidden_person', "The access token's person is not person_id.")
  requireScope(caller, brand)
  return actor
}

/** Does the token's issuer speak for the brand, and does the token's brand, where it has one, equal it? */
export function speaksFor(caller: Caller, brand: Brand): boolean {
  if (!brand.issuers.includes(caller.issuer)) return false
  if (!Object.hasOwn(caller.claims, brand.brandClaim)) return true
  return caller.claims[brand.brandClaim] === brand.id
}

/** As whom the caller may act for this person of this brand, or null where they may not. */
export function actorFor(caller: Caller, brand: Brand, personId: string): Actor | null {
  const { clientId } = caller
  if (isWithoutUser(caller)) {
    return clientId !== null && brand.trustedClients.includes(clientId) ? { kind: 'client', clientId } : null
  }
  return personOf(caller, brand) === personId ? { kind: 'person' } : null
}

/** The person that the token is of, as the brand knows them; null where it is of none. */
export function personOf(caller: Caller, brand: Brand): string | null {
  if (isWithoutUser(caller)) return null
  return textOf(claimOf(caller, brand.personClaim))
}

/** The address that the issuer says is the person's own (OpenID Connect Core 1.0, section 5.1), or null. */
export function verifiedEmail(caller: Caller): string | null {
  return claimOf(caller, 'email_verified') === true ? textOf(claimOf(caller, 'email')) : null
}

function claimOf({ claims }: Caller, name: string): unknown {
  return Object.hasOwn(claims, name) ? claims[name] : undefined
}

/** A text that the database can hold as it is; anything else is nobody. */
function textOf(claim: unknown): string | null {
  if (typeof claim !== 'string' || claim === '') return null
  return claim.isWellFormed() && !claim.includes('\u0000') ? claim : null
}

export function requireScope(caller: Caller, brand: Brand): void {
  const scope = brand.requiredScope
  if (scope === null || caller.scopes.includes(scope)) return
  // The scope is the operator's own word, and RFC 6750 (section 3.1) has it named.
  throw new AppError('insufficient_scope', 'The access token lacks the scope that this brand requires.', {
    headers: { 'www-authenticate': `Bearer realm="bellhop", error="insufficient_scope", scope="${scope}"` },
  })
}
