import { connect, type Socket } from 'node:net'

/** How a request ended: with an answer as it came over the wire, or without one and why. */
export type FloodEnd = { answer: string; error: null } | { answer: null; error: string }

const HOST = '127.0.0.1'

/** One connection of the flood, one request at a time, as cheap as it can be: it shares the machine with the server. */
export class FloodCaller {
  readonly #socket: Socket
  readonly #onEnd: (caller: FloodCaller, due: number, end: FloodEnd) => void
  #received = ''
  #due = Number.NaN
  #error = 'closed'

  /** @param onEnd called once for each request */
  constructor(port: number, onEnd: (caller: FloodCaller, due: number, end: FloodEnd) => void) {
    this.#onEnd = onEnd
    this.#socket = connect({ port, host: HOST, noDelay: true })
    this.#socket.setEncoding('latin1')
    this.#socket.on('data', (text: string) => this.#read(text))
    this.#socket.on('error', (error: NodeJS.ErrnoException) => {
      this.#error = error.code ?? 'closed'
    })
    this.#socket.on('close', () => this.#end({ answer: null, error: this.#error }))
  }

  /** When the request under way was due; NaN where there is none. */
  get due(): number {
    return this.#due
  }

  get isOpen(): boolean {
    return !this.#socket.destroyed && this.#socket.writable
  }

  /** Connects by itself where it is not yet. */
  ask(request: Buffer, due: number): void {
    this.#due = due
    this.#socket.write(request)
  }

  /** Hangs up, as a caller does whose patience is at its end. */
  close(): void {
    this.#due = Number.NaN
    this.#socket.destroy()
  }

  #read(text: string): void {
    this.#received = this.#received === '' ? text : this.#received + text
    const end = this.#received.indexOf('\r\n\r\n')
    if (end < 0) return
    const length = Number(/\r\ncontent-length: (\d+)/i.exec(this.#received)?.[1] ?? 0)
    if (this.#received.length < end + 4 + length) return
    const answer = this.#received
    this.#received = ''
    if (/\r\nconnection: close\r\n/i.test(answer)) this.#socket.end()
    this.#end({ answer, error: null })
  }

  #end(end: FloodEnd): void {
    const due = this.#due
    this.#due = Number.NaN
    if (!Number.isNaN(due)) this.#onEnd(this, due, end)
  }
}
