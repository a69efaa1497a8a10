import type { OutgoingMessage } from '../connectors/connector.ts'

const IN_ALL = 64 * 1024 * 1024

type Waiting = { bytes: number; enter: () => void }

/**
 * How many bytes of attachments the attempts of this process hold at once. Who finds no room stands in line;
 * one attempt alone always has room, whatever the size of its attachments.
 */
export class AttachmentBytes {
  readonly #limit: number
  readonly #line: Waiting[] = []
  #held = 0

  constructor(limit = IN_ALL) {
    this.#limit = limit
  }

  /** Takes room for so many bytes now, or says that there is none. Nothing always has room. */
  take(bytes: number): boolean {
    if (bytes === 0) return true
    if (this.#line.length > 0 || !this.#fits(bytes)) return false
    this.#held += bytes
    return true
  }

  /** Takes room in its turn. @returns false where it was aborted before there was any */
  async wait(bytes: number, signal: AbortSignal): Promise<boolean> {
    if (signal.aborted) return false
    if (this.take(bytes)) return true
    const { promise, resolve } = Promise.withResolvers<boolean>()
    const waiting = { bytes, enter: () => resolve(true) }
    this.#line.push(waiting)
    const leave = () => {
      const place = this.#line.indexOf(waiting)
      if (place < 0) return
      this.#line.splice(place, 1)
      resolve(false)
      this.#advance()
    }
    signal.addEventListener('abort', leave)
    return promise.finally(() => signal.removeEventListener('abort', leave))
  }

  give(bytes: number): void {
    this.#held -= bytes
    this.#advance()
  }

  #advance(): void {
    for (let first = this.#line[0]; first !== undefined && this.#fits(first.bytes); first = this.#line[0]) {
      this.#line.shift()
      this.#held += first.bytes
      first.enter()
    }
  }

  #fits(bytes: number): boolean {
    return this.#held === 0 || this.#held + bytes <= this.#limit
  }
}

export function attachmentBytes(message: OutgoingMessage): number {
  return message.attachments.reduce((sum, { size }) => sum + size, 0)
}
