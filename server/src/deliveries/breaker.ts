const FAILURES = 5
const FIRST_PAUSE_MS = 5_000
const LONGEST_PAUSE_MS = 60_000

/** One attempt as the breaker knows it; what {@link Breaker.begin} gave is given back at its end. */
export type Turn = { readonly begunAt: number }

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
  #probe: Turn | null = null

  constructor(now: () => number) {
    this.#now = now
  }

  get isOpen(): boolean {
    return this.#failures >= FAILURES
  }

  /** How many of so many attempts may begin now: all, none, or the one that probes. */
  allow(wanted: number): number {
    if (!this.isOpen) return wanted
    return this.#mayProbe() ? Math.min(wanted, 1) : 0
  }

  /** An attempt begins; it is the probe where one is due. */
  begin(): Turn {
    const turn = { begunAt: this.#now() }
    if (this.isOpen && this.#mayProbe()) this.#probe = turn
    return turn
  }

  /** An attempt that was begun was not made after all. Of one that has ended nothing is left to take back. */
  cancel(turn: Turn): void {
    if (this.#probe === turn) this.#probe = null
  }

  /**
   * An attempt ended. While the desk is left alone only its probe can prolong that: attempts that began
   * before, and fail late, say nothing new.
   * @param answered false where the desk took nothing and said nothing final
   */
  end(turn: Turn, answered: boolean): void {
    const probed = this.#probe === turn
    if (answered) {
      this.#failures = 0
      this.#pause = 0
      this.#probe = null
      return
    }
    if (this.isOpen && !probed) return
    this.#probe = null
    this.#failures++
    if (!this.isOpen) return
    this.#pause = Math.min(this.#pause === 0 ? FIRST_PAUSE_MS : this.#pause * 2, LONGEST_PAUSE_MS)
    this.#openUntil = this.#now() + this.#pause
  }

  #mayProbe(): boolean {
    return this.#probe === null && this.#now() >= this.#openUntil
  }
}
