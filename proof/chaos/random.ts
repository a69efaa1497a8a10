import { createHash } from 'node:crypto'

/**
 * Random numbers from 0 to under 1, the same ones for the same text: of SHA-256 in counter mode, 48 bits each,
 * which is fast enough for what chooses moments.
 */
export function randomOf(text: string): () => number {
  let counter = 0
  return () => createHash('sha256').update(`${text} ${counter++}`).digest().readUIntBE(0, 6) / 2 ** 48
}

/** A whole number from `least` to `most`, both included. */
export function whole(random: () => number, least: number, most: number): number {
  return least + Math.floor(random() * (most - least + 1))
}

/** The same things in another order. */
export function shuffled<T>(random: () => number, things: T[]): T[] {
  return things
    .map((thing) => ({ thing, at: random() }))
    .sort((a, b) => a.at - b.at)
    .map(({ thing }) => thing)
}
