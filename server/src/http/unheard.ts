import type { ServerResponse } from 'node:http'
import type { Socket } from 'node:net'

/** Milliseconds that a connection is not read from. */
const MOMENT_MS = 500
/** Milliseconds between two looks whose moment is over. */
const LOOK_MS = 50

/**
 * Connections that were turned away. What they say next is not read for a moment, so that turns stay short, and
 * who has not been heard at all comes before who has an answer.
 */
export class Unheard {
  /** When each moment began; the oldest first. */
  readonly #held = new Map<Socket, number>()
  readonly #moment: number
  #timer: NodeJS.Timeout | null = null
  #over = false

  /** @param moment in milliseconds */
  constructor(moment = MOMENT_MS) {
    this.#moment = moment
  }

  /** Does not read from the answer's connection, from the answer's end on. */
  hold(response: ServerResponse): void {
    const { socket } = response
    response.once('close', () => {
      if (this.#over || socket === null || socket.destroyed || this.#held.has(socket)) return
      socket.pause()
      this.#held.set(socket, performance.now())
      this.#timer ??= setTimeout(this.#release, LOOK_MS)
    })
  }

  /** Reads from all of them, and holds no more. */
  end(): void {
    this.#over = true
    for (const socket of this.#held.keys()) socket.resume()
    this.#held.clear()
  }

  readonly #release = (): void => {
    const since = performance.now() - this.#moment
    for (const [socket, heldAt] of this.#held) {
      if (heldAt > since) break
      this.#held.delete(socket)
      socket.resume()
    }
    this.#timer = this.#held.size > 0 ? setTimeout(this.#release, LOOK_MS) : null
  }
}
