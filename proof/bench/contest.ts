import { RefusedLoad } from '../load.ts'
import type { Refusals } from './refusals.ts'

/** Takes one measurement and gives a rate: so many a second. */
export type Entrant = () => Promise<number>

export type Rates<Name extends string> = Record<Name, number[]>

/**
 * Alternating rounds: in each one everybody has one turn, and each round begins with another, so that what
 * the machine does beside (a checkpoint, a neighbour) meets them all.
 */
export async function compete<Name extends string>(
  entrants: Record<Name, Entrant>,
  rounds: number,
  refusals: Refusals,
): Promise<Rates<Name>> {
  const names = Object.keys(entrants) as Name[]
  const rates = Object.fromEntries(names.map((name) => [name, [] as number[]])) as Rates<Name>
  for (let round = 0; round < rounds; round++) {
    for (const name of inTurn(names, round)) {
      const rate = await takeTurn(entrants[name], refusals)
      if (!(rate > 0)) throw new Error(`${name} did nothing at all`)
      rates[name].push(rate)
    }
  }
  return rates
}

/** How often a turn is taken, where a machine that stood still had Bellhop say that it is full. */
const TAKES = 3

/** @throws RefusedLoad where each take met a refusal */
export async function takeTurn<T>(turn: () => Promise<T>, refusals: Refusals): Promise<T> {
  for (let take = 1; ; take++) {
    try {
      const taken = await turn()
      refusals.turns++
      return taken
    } catch (error) {
      if (!(error instanceof RefusedLoad) || take === TAKES) throw error
      refusals.takenAgain++
    }
  }
}

/** The next one begins; every second time they go backwards, so that nobody always follows the same one. */
export function inTurn<T>(all: readonly T[], round: number): T[] {
  const from = round % all.length
  const turned = [...all.slice(from), ...all.slice(0, from)]
  return Math.floor(round / all.length) % 2 === 0 ? turned : turned.toReversed()
}
