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

/** @throws Error where the route does not stand behind a token: a bug */
export function callerOf({ caller }: { caller: Caller | null }): Caller {
  if (caller === null) throw new Error('a route behind a token was reached without one')
  return caller
}

/** A token is "without a user" when it has no `sub`, or its `sub` is its `client_id` (RFC 9068, section 2.2). */
export function isWithoutUser(caller: Caller): boolean {
  return caller.subject === null || caller.subject === caller.clientId
}

/** Seconds by which an issuer's clock and ours may differ. */
export const CLOCK_TOLERANCE = 30

/** When nobody takes the caller's token any more, in epoch milliseconds. */
export function endOfToken({ claims }: Caller): number {
  return (Number(claims.exp) + CLOCK_TOLERANCE) * 1000
}
