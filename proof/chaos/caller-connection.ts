import { connect, type Socket } from 'node:net'

export type HttpAnswer = {
  /** 0: it does not say where it ends, as every answer of Bellhop's does. */
  status: number
  /** Lower case names. */
  headers: Map<string, string>
  body: string
}

/** Why there is no answer: nobody listened, or the connection broke after the request was begun. */
export type NoAnswer = 'refused' | 'broken' | 'late'

const HEADERS_END = Buffer.from('\r\n\r\n')

/** One caller's keep-alive connection (HTTP/1.1), opened when it is needed, one request at a time. */
export class CallerConnection {
  #socket: Socket | null = null
  #port = 0
  #received: Buffer = Buffer.alloc(0)
  #settle: ((end: HttpAnswer | NoAnswer) => void) | null = null

  /**
   * Sends a request.
   * @param ms after which an answer is late; the connection is given up then
   */
  async send(port: number, request: Buffer, ms = 15_000): Promise<HttpAnswer | NoAnswer> {
    if (this.#socket === null || this.#port !== port || this.#socket.destroyed) {
      if (!(await this.#open(port))) return 'refused'
    }
    const { promise, resolve } = Promise.withResolvers<HttpAnswer | NoAnswer>()
    const timer = setTimeout(() => this.#end('late'), ms)
    this.#settle = resolve
    this.#socket?.write(request)
    try {
      return await promise
    } finally {
      clearTimeout(timer)
    }
  }

  close(): void {
    this.#end('broken')
  }

  async #open(port: number): Promise<boolean> {
    this.close()
    this.#port = port
    this.#received = Buffer.alloc(0)
    const { promise, resolve } = Promise.withResolvers<boolean>()
    const socket = connect({ port, host: '127.0.0.1', noDelay: true }, () => resolve(true))
    this.#socket = socket
    socket.on('data', (chunk) => this.#read(socket, chunk))
    socket.on('error', () => {})
    socket.on('close', () => {
      resolve(false)
      if (this.#socket === socket) this.#end('broken')
    })
    return promise
  }

  #end(end: HttpAnswer | NoAnswer): void {
    if (typeof end === 'string') {
      this.#socket?.destroy()
      this.#socket = null
    }
    const settle = this.#settle
    this.#settle = null
    settle?.(end)
  }

  #read(socket: Socket, chunk: Buffer): void {
    if (socket !== this.#socket) return
    this.#received = this.#received.length === 0 ? chunk : Buffer.concat([this.#received, chunk])
    const end = this.#received.indexOf(HEADERS_END)
    if (end < 0) return
    const [first = '', ...lines] = this.#received.toString('latin1', 0, end).split('\r\n')
    const headers = new Map(
      lines.map((line) => {
        const colon = line.indexOf(':')
        return [line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim()]
      }),
    )
    const start = end + HEADERS_END.length
    const length = Number(headers.get('content-length'))
    if (!headers.has('content-length')) {
      this.#end({ status: 0, headers, body: '{"error":"unreadable"}' })
      this.close()
      return
    }
    if (this.#received.length < start + length) return
    const body = this.#received.toString('utf8', start, start + length)
    this.#received = Buffer.alloc(0)
    if (headers.get('connection')?.toLowerCase() === 'close') {
      this.#socket = null
      socket.destroy()
    }
    this.#end({ status: Number(first.slice(9, 12)), headers, body })
  }
}
