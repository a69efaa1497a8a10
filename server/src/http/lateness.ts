const EVERY_MS = 500
/** Above this the process is so late that a new ticket would only make it later. */
const LATE_MS = 1000

/** Looks twice a second whether the event loop comes in time; once it was late, it is held to be so until the next look. */
export class Lateness {
  readonly #timer: NodeJS.Timeout
  readonly #lateMs: number
  #lookedAt = performance.now()
  isLate = false

  /** @param lateMs milliseconds above which it is late */
  constructor(lateMs = LATE_MS) {
    this.#lateMs = lateMs
    this.#timer = setInterval(() => this.#look(), EVERY_MS)
    this.#timer.unref()
  }

  close(): void {
    clearInterval(this.#timer)
  }

  #look(): void {
    const now = performance.now()
    this.isLate = now - this.#lookedAt - EVERY_MS > this.#lateMs
    this.#lookedAt = now
  }
}
