import { FILING } from './surface.ts'

/** What was answered, by operation and status. */
export class Tally {
  readonly #answers = new Map<string, Map<number, number>>()
  #requests = 0
  #tickets = 0
  #hungUp = 0
  #given = 0
  #unsure = 0

  /** All requests that were sent and judged. */
  get requests(): number {
    return this.#requests
  }

  /** Tickets that were made: 201, but not those of a replay. */
  get tickets(): number {
    return this.#tickets
  }

  /** What was no request to its end, and was hung up on. */
  get hungUp(): number {
    return this.#hungUp
  }

  /** Those of them that may have been one, and whose caller hung up after a while. */
  get givenUp(): number {
    return this.#given
  }

  /** All that may have been a request or not, answered or not. */
  get unsure(): number {
    return this.#unsure
  }

  /** Something is sent that may be a whole request. */
  maybe(): void {
    this.#unsure++
  }

  count(operation: string | null, status: number, replayed: boolean): void {
    const name = operation ?? 'anything else'
    const of = this.#answers.get(name) ?? new Map<number, number>()
    this.#answers.set(name, of)
    of.set(status, (of.get(status) ?? 0) + 1)
    this.#requests++
    if (status === 201 && !replayed && (operation ?? FILING) === FILING) this.#tickets++
  }

  /** @param whole whether it may have been a whole request */
  unanswered(whole: boolean): void {
    this.#requests++
    this.#hungUp++
    if (whole) this.#given++
  }

  /** Of an operation, or of all. */
  answers(status: number): number {
    return [...this.#answers.values()].reduce((sum, of) => sum + (of.get(status) ?? 0), 0)
  }

  /** Operations, statuses and counts, in order. */
  rows(): { operation: string; status: number; count: number }[] {
    return [...this.#answers]
      .sort(([one], [two]) => one.localeCompare(two))
      .flatMap(([operation, of]) =>
        [...of].sort(([one], [two]) => one - two).map(([status, count]) => ({ operation, status, count })),
      )
  }
}
