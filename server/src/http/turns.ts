/** Requests that one turn lets in. */
const PER_TURN = 16
/** The same where it accepted a connection: one of four such turns lets one in. */
const PER_ACCEPTING_TURN = 1 / 4

/**
 * The turns of the event loop, which each accept one connection (libuv), however many wait. So a turn that has
 * accepted one is kept short, since more may wait: they are all accepted soon, and what they say waits here, where
 * it can be counted and answered, and not in the kernel.
 */
export class Turns {
  readonly #onEnd: () => void
  #left = PER_TURN
  #accepted = false
  #scheduled = false

  /** @param onEnd called at the end of each turn that was asked for */
  constructor(onEnd: () => void) {
    this.#onEnd = onEnd
  }

  /** May one more request be let in, in this turn? */
  get hasLeft(): boolean {
    return this.#left >= 1
  }

  /** One was let in. */
  spend(): void {
    this.#left--
    this.ask()
  }

  noteConnection(): void {
    this.#accepted = true
    this.ask()
  }

  /** Asks for the end of this turn, or of the next one where it is just ending. */
  ask(): void {
    if (this.#scheduled) return
    this.#scheduled = true
    setImmediate(this.#end)
  }

  readonly #end = (): void => {
    this.#scheduled = false
    this.#left = this.#accepted ? Math.min(this.#left + PER_ACCEPTING_TURN, 1) : PER_TURN
    this.#accepted = false
    this.#onEnd()
  }
}
