import type { Caller } from '../../tickets/caller.ts'
import type { KeySet } from './key-set.ts'
import type { KeyHolder } from './keys.ts'

/** A token that has held, and how long that may be remembered. */
export type Verified = {
  caller: Caller
  /** When it was judged, in epoch milliseconds. */
  from: number
  /** Epoch milliseconds; never past the token's `exp`. */
  until: number
  /** The keys that it was verified with; null where its issuer was asked about it. */
  signedBy: { keys: KeyHolder; set: KeySet } | null
}

/**
 * Whether it holds still. A key that the issuer has taken back takes its tokens with it. Of a clock that was put
 * back nothing is known but that: the token is judged again.
 */
export function holds(verified: Verified, now: number): boolean {
  const { from, until, signedBy } = verified
  return from <= now && now < until && (signedBy === null || signedBy.keys.current === signedBy.set)
}
