import { AppError, unavailable } from '../errors.ts'
import { type Caller, isWithoutUser } from '../tickets/caller.ts'

/** Streams of one person at once: some windows and a phone. */
const OF_ONE_PERSON = 5
/** Seconds after which to try again: a stream that was left is noticed by then. */
const RETRY_AFTER = 30

/** Keeps the open streams of a process, and of each person, within a bound. */
export class Seats {
  readonly #most: number
  /** As many entries as streams at most. */
  readonly #ofPerson = new Map<string, number>()
  #taken = 0

  constructor(most: number) {
    this.#most = most
  }

  get taken(): number {
    return this.#taken
  }

  /**
   * @returns what gives the seat back, once
   * @throws AppError `unavailable` where the process has no more, `rate_limited` where the person has them all
   */
  take(person: string): () => void {
    if (this.#taken >= this.#most)
      throw unavailable('The server has no room for another event stream.', RETRY_AFTER)
    const theirs = this.#ofPerson.get(person) ?? 0
    if (theirs >= OF_ONE_PERSON) {
      throw new AppError('rate_limited', `One person has ${OF_ONE_PERSON} event streams at once at most.`, {
        headers: { 'retry-after': String(RETRY_AFTER) },
      })
    }
    this.#taken++
    this.#ofPerson.set(person, theirs + 1)
    let left = false
    return () => {
      if (left) return
      left = true
      this.#taken--
      const others = (this.#ofPerson.get(person) ?? 1) - 1
      if (others > 0) this.#ofPerson.set(person, others)
      else this.#ofPerson.delete(person)
    }
  }
}

/** Who sits there: the person, or a client without one, by the ticket, since it may look on for many. */
export function seatedAs(caller: Caller, ticketId: string): string {
  const { issuer, subject, clientId } = caller
  return JSON.stringify(isWithoutUser(caller) ? [issuer, clientId, ticketId] : [issuer, subject])
}
