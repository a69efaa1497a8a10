import { shuffled, whole } from '../random.ts'
import { OPENING, type Way, type Ways } from './ways.ts'

/**
 * What meets one attempt: nothing, or a way to strike; which one depends on whether it opens its session or
 * not, and whether its message is large enough to be struck in its middle.
 */
export type Turn = { opening: Way; reused: Way; large: Way } | null

/**
 * Spreads so many strikes over desks. Attempts that nothing meets stand between them, but fewer than a desk
 * has tickets, so that an attempt is left for each strike.
 * @param each strikes and tickets of one desk
 * @returns of each desk, what meets its attempts in their order; after the last one there is nothing
 */
export function planStrikes(random: () => number, { ways }: Ways, strikes: number, each: number): Turn[][] {
  return Array.from({ length: Math.ceil(strikes / each) }, (_, desk) => {
    const own = Math.min(each, strikes - desk * each)
    const between = Array.from({ length: whole(random, 0, Math.min(2, each - 1)) }, () => null)
    const turns = shuffled(random, [
      ...between,
      ...Array.from({ length: own - 1 }, () => strike(random, ways)),
    ])
    return [...turns, strike(random, ways)]
  })
}

function strike(random: () => number, ways: Way[]): Turn {
  const small = ways.filter(({ stage }) => stage !== 'body')
  const large = ways.find(({ stage }) => stage === 'body')
  const inSession = small.filter(({ stage }) => !OPENING.has(stage))
  const reused = oneOf(random, inSession.length > 0 ? inSession : small)
  return { opening: oneOf(random, small), reused, large: large ?? reused }
}

function oneOf(random: () => number, ways: Way[]): Way {
  const way = ways[whole(random, 0, ways.length - 1)]
  if (way === undefined) throw new Error('there is no way to strike')
  return way
}
