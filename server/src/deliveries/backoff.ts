import type { AttemptResult } from '../connectors/connector.ts'

const FIRST = 1
const LONGEST = 60 * 60
/** A desk that asks for more than a day is asked again after one. */
const LONGEST_ASKED = 24 * 60 * 60

export type Next = { next: 'delivered' | 'rejected' | 'pending'; delay: number }

/**
 * What becomes of a delivery after an attempt: exponential back-off with full jitter from 1 s to 1 h, and
 * never earlier than the desk asked.
 * @param attempt its number, from 1
 * @param random in [0, 1)
 * @returns the next state and, where it is tried again, the seconds until then
 * @see https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/
 */
export function afterAttempt(result: AttemptResult, attempt: number, random: () => number): Next {
  switch (result.outcome) {
    case 'delivered':
      return { next: 'delivered', delay: 0 }
    case 'permanent':
      return { next: 'rejected', delay: 0 }
    case 'retry':
    case 'uncertain': {
      const ceiling = Math.min(LONGEST, FIRST * 2 ** Math.min(attempt - 1, 30))
      const asked = Math.min((result.retryAfter ?? 0) / 1000, LONGEST_ASKED)
      return { next: 'pending', delay: Math.max(ceiling * random(), asked) }
    }
  }
}
