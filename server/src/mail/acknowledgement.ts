import type { Brand } from '../config.ts'
import { comparableAddress } from './address.ts'

/** Who files a ticket, and for which address. */
export type Filed = {
  /** The person themselves, or a trusted client for them. */
  actor: 'person' | 'client'
  /** The access token's. */
  claims: Readonly<Record<string, unknown>>
  requesterEmail: string
}

/**
 * Is the requester's address known to be theirs? The token proves it (`email` with `email_verified`, OpenID Connect
 * Core 1.0, section 5.1), or a trusted client gave it.
 */
export function isAddressProven({ actor, claims, requesterEmail }: Filed): boolean {
  if (actor === 'client') return true
  const email = Object.hasOwn(claims, 'email') ? claims.email : undefined
  const verified = Object.hasOwn(claims, 'email_verified') ? claims.email_verified : undefined
  return verified === true && typeof email === 'string' && sameAddress(email, requesterEmail)
}

/**
 * Does a new ticket of this brand promise an acknowledgement? Nobody must be able to have mail sent to an address
 * that is not theirs, unless the brand says `always`.
 */
export function acknowledges(
  { mail, acknowledge }: Pick<Brand, 'mail' | 'acknowledge'>,
  addressProven: boolean,
): boolean {
  if (mail === null || acknowledge === 'never') return false
  return acknowledge === 'always' || addressProven
}

/** Are these one address? */
export function sameAddress(one: string, other: string): boolean {
  return comparableAddress(one) === comparableAddress(other)
}
