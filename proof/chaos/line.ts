import { once } from 'node:events'
import { connect, createServer, type Server, type Socket } from 'node:net'

/** How a line behaves: all goes through; what is there and what comes is reset; or not a byte goes through. */
type Mode = 'open' | 'reset' | 'silent'

/** A TCP line to a server that can be cut, as a network does it: between Bellhop and its database. */
export class Line {
  readonly port: number
  /** Where it leads; new connections go there. */
  target: number
  readonly #server: Server
  readonly #pairs = new Set<[Socket, Socket]>()
  readonly #lost = new Set<[Socket, Socket]>()
  #mode: Mode = 'open'

  private constructor(server: Server, port: number, target: number) {
    this.#server = server
    this.port = port
    this.target = target
    server.on('connection', (client: Socket) => this.#accept(client))
  }

  static async to(target: number): Promise<Line> {
    const server = createServer({ noDelay: true, allowHalfOpen: true }).listen(0, '127.0.0.1')
    await once(server, 'listening')
    const address = server.address()
    if (address === null || typeof address === 'string') throw new Error('no port')
    return new Line(server, address.port, target)
  }

  /** How many connections go over it. */
  get open(): number {
    return this.#pairs.size
  }

  /** Resets every connection (RST), and each that is tried from now on. */
  cut(): void {
    this.#mode = 'reset'
    this.#resetAll()
  }

  /** Keeps the connections, takes new ones, and lets nothing through, nor the news that an end has gone. */
  silence(): void {
    this.#mode = 'silent'
    for (const pair of this.#pairs) for (const socket of pair) socket.pause()
  }

  /**
   * All goes through again.
   * @param silenced what becomes of the connections that were silent: what they held goes through late, they are
   *   reset, as by a router that has forgotten them, or they stay silent for good
   */
  mend(silenced: 'late' | 'reset' | 'lost' = 'late'): void {
    this.#mode = 'open'
    if (silenced === 'lost') {
      for (const pair of this.#pairs) this.#lost.add(pair)
      this.#pairs.clear()
    }
    if (silenced === 'reset') this.#resetAll()
    for (const pair of this.#pairs) {
      const isOver = pair.some((socket) => socket.destroyed)
      if (isOver) this.#pairs.delete(pair)
      for (const socket of pair) isOver ? socket.destroy() : socket.resume()
    }
  }

  /** The ends of connections that were lost for good learn of it, as by their keep-alive. */
  forget(): void {
    for (const pair of this.#lost) for (const socket of pair) socket.resetAndDestroy()
    this.#lost.clear()
  }

  async close(): Promise<void> {
    const closed = once(this.#server, 'close')
    this.#server.close()
    this.forget()
    this.#resetAll()
    await closed
  }

  #resetAll(): void {
    for (const pair of this.#pairs) for (const socket of pair) socket.resetAndDestroy()
    this.#pairs.clear()
  }

  #accept(client: Socket): void {
    if (this.#mode === 'reset') {
      client.on('error', () => {})
      client.resetAndDestroy()
      return
    }
    const server = connect({ port: this.target, host: '127.0.0.1', noDelay: true, allowHalfOpen: true })
    const pair: [Socket, Socket] = [client, server]
    this.#pairs.add(pair)
    this.#carry(client, server, pair)
    this.#carry(server, client, pair)
    if (this.#mode === 'silent') for (const socket of pair) socket.pause()
  }

  #carry(from: Socket, to: Socket, pair: [Socket, Socket]): void {
    from.on('data', (chunk) => {
      if (!to.write(chunk)) from.pause()
    })
    to.on('drain', () => {
      if (this.#mode === 'open' && this.#pairs.has(pair)) from.resume()
    })
    // Not read while the line is silent, and so not told then.
    from.on('end', () => to.end())
    from.on('error', () => {})
    from.on('close', () => {
      if (this.#mode === 'silent' || this.#lost.has(pair)) return
      this.#pairs.delete(pair)
      to.destroy()
    })
  }
}
