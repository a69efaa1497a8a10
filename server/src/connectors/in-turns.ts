import { setImmediate as turn } from 'node:timers/promises'

/**
 * A message may have many megabytes. What is done to all of them is done in pieces, and the event loop turns
 * in between, so that nobody else waits for it. A short message costs no turn.
 */

/** Characters or bytes that are worked on at a time: a few milliseconds. */
const AT_ONCE = 64 * 1024

/** Collects 7-bit text as it is written; short pieces become few buffers. */
export async function collect(pieces: Iterable<string>): Promise<Buffer[]> {
  const collected: Buffer[] = []
  let text = ''
  for (const piece of pieces) {
    text += piece
    if (text.length < AT_ONCE) continue
    collected.push(Buffer.from(text, 'latin1'))
    text = ''
    await turn()
  }
  if (text !== '') collected.push(Buffer.from(text, 'latin1'))
  return collected
}

/** The pieces as they are, for whoever takes them faster than he should. */
export async function* inTurns(pieces: Iterable<Buffer>): AsyncGenerator<Buffer> {
  let taken = 0
  for (const piece of pieces) {
    yield piece
    taken += piece.length
    if (taken < AT_ONCE) continue
    taken = 0
    await turn()
  }
}

/** In bytes. */
export function lengthOf(pieces: Buffer[]): number {
  return pieces.reduce((sum, piece) => sum + piece.length, 0)
}
