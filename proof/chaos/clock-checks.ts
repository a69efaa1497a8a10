import { type ClockProbes, MINUTE } from './clock-probes.ts'
import type { Check } from './fault.ts'
import { count } from './ledger.ts'

/** Whose clock jumps, in turn. */
export const WHOSE = ['Bellhop', 'database', 'both'] as const
export type Whose = (typeof WHOSE)[number]

/** Milliseconds in which what waited before a jump is carried; no back-off here is longer than some seconds. */
export const CARRIED_MS = 90_000

/** What was seen of all jumps. */
export type Seen = {
  /** Tokens that were shown past their time and within it, and of them, those that were judged otherwise. */
  expired: number
  expiredTaken: number
  good: number
  goodRefused: number
  /** The longest until all was carried that waited at a jump, in milliseconds. */
  longest: Map<Whose, number>
}

type Limits = Pick<
  ClockProbes,
  'limited' | 'unlimited' | 'longestLimit' | 'longestUnknown' | 'longestRevoked'
>

/** Of what none was shown, nothing is proved: then the check breaks too. */
export function checksOf(seen: Seen, probes: Limits): Check[] {
  const { expired, expiredTaken, good, goodRefused, longest } = seen
  const within = (what: string, seconds: number): Check => ({
    what,
    seen: `${seconds.toFixed(1)} s`,
    ok: seconds <= MINUTE,
  })
  const noneOf = (what: string, wrong: number, all: number): Check => ({
    what,
    seen: `${wrong} of ${all}`,
    ok: wrong === 0 && all > 0,
  })
  return [
    noneOf('tokens taken past their time', expiredTaken, expired),
    noneOf('good tokens refused', goodRefused, good),
    within('longest time until a new key was known', probes.longestUnknown),
    within('longest time until a revoked token was refused', probes.longestRevoked),
    count('times that nobody was over the limit who filed one ticket too many', probes.unlimited),
    within(`longest wait that a 429 asked for (of ${probes.limited})`, probes.longestLimit),
    ...[...longest].map(([whose, ms]) => ({
      what: `longest time until all was carried that waited at a jump (${whose})`,
      seen: `${(ms / 1000).toFixed(1)} s`,
      ok: ms < CARRIED_MS,
    })),
  ]
}
