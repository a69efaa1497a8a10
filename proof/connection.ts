import { connect, type Socket } from 'node:net'

/** The bytes of a request, in one piece or in several that other requests may share. */
export type Request = Buffer | readonly Buffer[]

const HEADERS_END = Buffer.from('\r\n\r\n')
const NOTHING = Buffer.alloc(0)

type Waiting = { resolve: (status: number) => void; reject: (error: Error) => void }

/**
 * One HTTP/1.1 connection, one request at a time, opened anew where the server closed it after an answer. It
 * costs the machine a fraction of what an HTTP client does, and reads only the status and where the answer ends
 * (RFC 9112, section 6.3).
 */
export class Connection {
  readonly #port: number
  #socket: Socket | null = null
  #received: Buffer = NOTHING
  #waiting: Waiting | null = null

  private constructor(port: number) {
    this.#port = port
  }

  static async open(port: number): Promise<Connection> {
    const connection = new Connection(port)
    await connection.#connect()
    return connection
  }

  /**
   * @returns the answer's status
   * @throws Error where the connection broke before the answer was whole, or it is no HTTP
   */
  async send(request: Request): Promise<number> {
    if (this.#socket === null) await this.#connect()
    const socket = this.#socket
    if (socket === null) throw new Error('the server closed a connection at once')
    if (this.#waiting !== null) throw new Error('a request was sent before the last one was answered')
    const { promise, resolve, reject } = Promise.withResolvers<number>()
    this.#waiting = { resolve, reject }
    if (Buffer.isBuffer(request)) socket.write(request)
    else {
      socket.cork()
      for (const piece of request as readonly Buffer[]) socket.write(piece)
      socket.uncork()
    }
    return promise
  }

  close(): void {
    this.#waiting = null
    this.#socket?.destroy()
    this.#socket = null
  }

  async #connect(): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>()
    const socket = connect({ port: this.#port, host: '127.0.0.1', noDelay: true }, resolve)
    socket.once('error', reject)
    await promise
    socket.off('error', reject)
    this.#received = NOTHING
    this.#socket = socket
    socket.on('data', (chunk) => this.#read(socket, chunk))
    socket.on('error', (error) => this.#lose(socket, error))
    socket.on('close', () =>
      this.#lose(socket, new Error('the server closed a connection before its answer')),
    )
  }

  #lose(socket: Socket, error: Error): void {
    if (this.#socket !== socket) return
    this.#socket = null
    const waiting = this.#waiting
    this.#waiting = null
    // An answer without a length ends with its connection.
    const head = headOf(this.#received)
    if (waiting && head !== null && head.body.kind === 'until close') waiting.resolve(head.status)
    else waiting?.reject(error)
  }

  #read(socket: Socket, chunk: Buffer): void {
    if (this.#socket !== socket) return
    this.#received = this.#received.length === 0 ? chunk : Buffer.concat([this.#received, chunk])
    if (this.#waiting === null) {
      this.#fail(socket, 'the server sent more than its answer')
      return
    }
    const head = headOf(this.#received)
    if (head === null) return
    if (head.status === 0) {
      this.#fail(socket, 'what the server sent is no HTTP answer')
      return
    }
    const end = endOf(this.#received, head)
    if (end === null) return
    if (head.status < 200) {
      const rest = this.#received.subarray(end)
      this.#received = NOTHING
      if (rest.length > 0) this.#read(socket, rest)
      return
    }
    if (end < this.#received.length) {
      this.#fail(socket, 'the server sent more than its answer')
      return
    }
    this.#received = NOTHING
    const { resolve } = this.#waiting
    this.#waiting = null
    if (head.last) {
      this.#socket = null
      socket.destroy()
    }
    resolve(head.status)
  }

  #fail(socket: Socket, why: string): void {
    socket.destroy()
    this.#lose(socket, new Error(why))
  }
}

type Body = { kind: 'length'; bytes: number } | { kind: 'chunked' } | { kind: 'until close' }
type Head = { status: number; last: boolean; bodyAt: number; body: Body }

/** Null: its end has not come yet. A status of 0: it is none. */
function headOf(received: Buffer): Head | null {
  const end = received.indexOf(HEADERS_END)
  if (end < 0) return null
  const head = received.toString('latin1', 0, end)
  const status = Number(/^HTTP\/1\.[01] (\d{3})/.exec(head)?.[1] ?? 0)
  const last = /^HTTP\/1\.0|\r\nconnection: *close/i.test(head)
  return { status, last, bodyAt: end + HEADERS_END.length, body: bodyOf(status, head) }
}

function bodyOf(status: number, head: string): Body {
  if (status < 200 || status === 204 || status === 304) return { kind: 'length', bytes: 0 }
  if (/\r\ntransfer-encoding: *chunked/i.test(head)) return { kind: 'chunked' }
  const length = /\r\ncontent-length: *(\d+)/i.exec(head)?.[1]
  return length === undefined ? { kind: 'until close' } : { kind: 'length', bytes: Number(length) }
}

/** Where the answer ends, or null: not yet. */
function endOf(received: Buffer, { bodyAt, body }: Head): number | null {
  if (body.kind === 'until close') return null
  if (body.kind === 'length') {
    const end = bodyAt + body.bytes
    return end <= received.length ? end : null
  }
  for (let at = bodyAt; ; ) {
    const line = received.indexOf('\r\n', at)
    if (line < 0) return null
    const size = Number.parseInt(received.toString('latin1', at, line), 16)
    if (size > 0) {
      at = line + 2 + size + 2
      continue
    }
    // After the last chunk trailers may come, and an empty line ends them.
    if (received.length < line + 4) return null
    if (received.toString('latin1', line + 2, line + 4) === '\r\n') return line + 4
    const trailers = received.indexOf(HEADERS_END, line + 2)
    return trailers < 0 ? null : trailers + HEADERS_END.length
  }
}
