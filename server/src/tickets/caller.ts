/** Who is calling, as their access token says; made by `http/`, judged by `tickets/`. */
export type Caller = {
  /** The exact `iss`. */
  issuer: string
  /** The token's claims, or the answer of the introspection. */
  claims: Readonly<Record<string, unknown>>
  /** `sub`, or null. */
  subject: string | null
  /** `client_id`, or null. */
  clientId: string | null
  scopes: readonly string[]
}

/** A token is "without a user" when it has no `sub`, or its `sub` is its `client_id` (RFC 9068, section 2.2). */
export function isWithoutUser(caller: Caller): boolean {
  return caller.subject === null || caller.subject === caller.clientId
}
