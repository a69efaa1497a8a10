import { unavailable } from '../errors.ts'

/** Bytes of a ticket that need no room: nearly every ticket is smaller, and none of them waits for a large one. */
export const SMALL_TICKET = 256 * 1024
/** Bytes of tickets that are read at once by one process, until whoever asked has them. */
const IN_ALL = 32 * 1024 * 1024

/**
 * Keeps the large tickets that are read at once within what the process and the database can bear: a ticket grows
 * with what is said on it, and one person could ask for theirs again and again. One alone always has room.
 */
export class ReadingRoom {
  #held = 0

  /**
   * @returns what gives the room back, however often it is called
   * @throws AppError `unavailable` where there is none now
   */
  enter(bytes: number): () => void {
    if (bytes <= SMALL_TICKET) return () => {}
    if (this.#held > 0 && this.#held + bytes > IN_ALL) throw unavailable('The server is full.', 1)
    this.#held += bytes
    let isLeft = false
    return () => {
      if (!isLeft) this.#held -= bytes
      isLeft = true
    }
  }
}
