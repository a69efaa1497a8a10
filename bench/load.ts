import { connect, type Socket } from 'node:net'

/** A request as it goes over the wire; made before the clock runs, so that the load costs the machine little. */
export type NextRequest = () => Buffer

export type LoadResult = {
  /** Answers with 201. */
  answered: number
  /** Other answers, by status. */
  refused: Map<number, number>
  /** From the first request to the last answer. */
  seconds: number
  /** Milliseconds of each answer with 201. */
  latencies: Float64Array
}

const HEADERS_END = Buffer.from('\r\n\r\n')

/** One HTTP/1.1 connection, one request at a time. */
class Connection {
  readonly #socket: Socket
  #received: Buffer = Buffer.alloc(0)
  #answer: ((status: number) => void) | null = null
  #fail: ((error: Error) => void) | null = null

  private constructor(socket: Socket) {
    this.#socket = socket
    socket.on('data', (chunk) => this.#read(chunk))
    socket.on('close', () => this.#fail?.(new Error('the server closed a connection')))
    socket.on('error', (error) => this.#fail?.(error))
  }

  static async open(port: number): Promise<Connection> {
    const { promise, resolve, reject } = Promise.withResolvers<void>()
    const socket = connect({ port, host: '127.0.0.1', noDelay: true }, resolve)
    socket.once('error', reject)
    await promise
    socket.off('error', reject)
    return new Connection(socket)
  }

  send(request: Buffer): Promise<number> {
    const { promise, resolve, reject } = Promise.withResolvers<number>()
    this.#answer = resolve
    this.#fail = reject
    this.#socket.write(request)
    return promise
  }

  close(): void {
    this.#fail = null
    this.#socket.destroy()
  }

  #read(chunk: Buffer): void {
    this.#received = this.#received.length === 0 ? chunk : Buffer.concat([this.#received, chunk])
    const end = this.#received.indexOf(HEADERS_END)
    if (end < 0) return
    const head = this.#received.toString('latin1', 0, end)
    const length = Number(/\r\ncontent-length: (\d+)/i.exec(head)?.[1] ?? 0)
    if (this.#received.length < end + HEADERS_END.length + length) return
    this.#received = Buffer.alloc(0)
    this.#answer?.(Number(head.slice(9, 12)))
  }
}

/** Closed model: every connection sends its next request when the last one is answered. */
export async function closedLoad(options: {
  port: number
  connections: number
  seconds: number
  next: NextRequest
}): Promise<LoadResult> {
  const { port, next } = options
  const connections = await Promise.all(
    Array.from({ length: options.connections }, () => Connection.open(port)),
  )
  const tally = new Tally()
  const started = performance.now()
  const until = started + options.seconds * 1000
  await Promise.all(
    connections.map(async (connection) => {
      while (performance.now() < until) {
        const sent = performance.now()
        tally.count(await connection.send(next()), sent)
      }
      connection.close()
    }),
  )
  return tally.result(started)
}

/**
 * Open model: requests come at their times whether the server keeps up or not, and each is measured from the
 * time it was due, so that a server that stalls is charged for all who would have waited (coordinated
 * omission).
 */
export async function openLoad(options: {
  port: number
  perSecond: number
  seconds: number
  next: NextRequest
}): Promise<LoadResult> {
  const { port, perSecond, next } = options
  const idle = await Promise.all(Array.from({ length: 64 }, () => Connection.open(port)))
  const tally = new Tally()
  const underway = new Set<Promise<void>>()
  const total = perSecond * options.seconds
  const started = performance.now()
  for (let sent = 0; sent < total; ) {
    const due = started + (sent / perSecond) * 1000
    const early = due - performance.now()
    if (early > 0.2) {
      await new Promise((resolve) => (early > 2 ? setTimeout(resolve, early - 1) : setImmediate(resolve)))
      continue
    }
    sent++
    const one = (async () => {
      const connection = idle.pop() ?? (await Connection.open(port))
      tally.count(await connection.send(next()), due)
      idle.push(connection)
    })().finally(() => underway.delete(one))
    underway.add(one)
  }
  await Promise.all(underway)
  for (const connection of idle) connection.close()
  return tally.result(started)
}

class Tally {
  readonly #latencies: number[] = []
  readonly #refused = new Map<number, number>()

  count(status: number, since: number): void {
    if (status === 201) this.#latencies.push(performance.now() - since)
    else this.#refused.set(status, (this.#refused.get(status) ?? 0) + 1)
  }

  result(started: number): LoadResult {
    return {
      answered: this.#latencies.length,
      refused: this.#refused,
      seconds: (performance.now() - started) / 1000,
      latencies: Float64Array.from(this.#latencies).sort(),
    }
  }
}

/** @param sorted ascending */
export function percentile(sorted: Float64Array, p: number): number {
  return sorted[Math.min(sorted.length - 1, Math.floor((sorted.length * p) / 100))] ?? Number.NaN
}
