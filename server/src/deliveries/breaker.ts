const FAILURES = 5
const FIRST_PAUSE_MS = 5_000
const LONGEST_PAUSE_MS = 60_000

/**
 * A circuit breaker for one desk: after five failures in a row it is left alone for a while, then one
 * delivery probes it; the pause doubles until a probe succeeds. What waits stays due, and is not counted as
 * tried.
 */
export class Breaker {
  readonly #now: () => number
  #failures = 0
  #pause = 0
  #openUntil = 0
  #probing = false

  constructor(now: () => number) {
    this.#now = now
  }

  get isOpen(): boolean {
    return this.#failures >= FAILURES
  }

  /** How many of so many attempts may begin now: all, none, or the one that probes. */
  allow(wanted: number): number {
    if (!this.isOpen) return wanted
    if (this.#probing || this.#now() < this.#openUntil) return 0
    return Math.min(wanted, 1)
  }

  begin(): void {
    if (this.isOpen) this.#probing = true
  }

  /** An attempt that was begun was not made after all. */
  cancel(): void {
    this.#probing = false
  }

  /** @param answered false where the desk took nothing and said nothing final */
  end(answered: boolean): void {
    this.#probing = false
    if (answered) {
      this.#failures = 0
      this.#pause = 0
      return
    }
    this.#failures++
    if (!this.isOpen) return
    this.#pause = Math.min(this.#pause === 0 ? FIRST_PAUSE_MS : this.#pause * 2, LONGEST_PAUSE_MS)
    this.#openUntil = this.#now() + this.#pause
  }
}
