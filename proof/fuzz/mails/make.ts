import { randomOf, whole } from '../../chaos/random.ts'
import { MUTATIONS } from './mutations.ts'
import { type Correspondence, pick, shapeOf } from './shapes.ts'

/** A mail of the run; the same seed and number make the same one again. */
export type FuzzMail = { number: number; what: string; bytes: Buffer }

/** Of ten mails one is as its sender wrote it. */
const UNCHANGED = 0.1
const MOST_CHANGES = 3
/** Bytes that the server takes of a mail. */
const LIMIT = 25 * 1024 * 1024

/**
 * @param written mails that were written by hand, among which some are taken; may be none
 */
export function mailOf(seed: number, number: number, who: Correspondence, written: Buffer[]): FuzzMail {
  const random = randomOf(`${seed} mail ${number}`)
  const isWritten = written.length > 0 && random() < 0.4
  let bytes: Buffer = isWritten ? pick(random, written) : shapeOf(random, who)
  if (random() < UNCHANGED) return { number, what: 'unchanged', bytes }
  const changes: string[] = []
  for (let left = whole(random, 1, MOST_CHANGES); left > 0; left--) {
    const { what, change } = pick(random, MUTATIONS)
    bytes = change(random, bytes)
    changes.push(what)
  }
  // Without a byte it is no mail, and is refused at the door.
  if (bytes.length === 0) bytes = Buffer.from('\r\n')
  return { number, what: changes.join(', '), bytes: bytes.subarray(0, LIMIT) }
}
