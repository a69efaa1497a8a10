import { once } from 'node:events'
import net from 'node:net'

/** What a desk does with a request: an answer as it goes over the wire, or what a broken one does instead. */
export type HttpBehaviour =
  | { raw: string; next?: 'drop' | 'stall' | 'drip' }
  | 'drop'
  | 'reset'
  | 'stall'
  | 'drop at the head'
  | 'refuse the body'

export type Received = { head: string; body: string }

export type FaultHttpServer = {
  port: number
  behaviour: HttpBehaviour
  /** Requests that arrived whole. */
  received: Received[]
  connections: number
  hangUp(): Promise<void>
  close(): Promise<void>
}

/** `HTTP/1.1 503 …` with a body of that length. */
export function httpAnswer(status: number, headers: Record<string, string> = {}, body = ''): HttpBehaviour {
  const all = { 'content-length': String(Buffer.byteLength(body)), ...headers }
  const lines = Object.entries(all).map(([name, value]) => `${name}: ${value}\r\n`)
  return { raw: `HTTP/1.1 ${status} Whatever\r\n${lines.join('')}\r\n${body}` }
}

/** A desk that is called by webhook and answers exactly as it is told, on a real socket. */
export async function startFaultHttpServer(): Promise<FaultHttpServer> {
  const sockets = new Set<net.Socket>()
  const listener = net.createServer((socket) => serve(socket))
  listener.listen(0, '127.0.0.1')
  await once(listener, 'listening')
  const address = listener.address()
  if (address === null || typeof address === 'string') throw new Error('no port')
  const server: FaultHttpServer = {
    port: address.port,
    behaviour: httpAnswer(204),
    received: [],
    connections: 0,
    async hangUp() {
      const open = [...sockets]
      for (const socket of open) socket.end()
      await Promise.all(open.map((socket) => (socket.closed ? null : once(socket, 'close'))))
    },
    async close() {
      for (const socket of sockets) socket.destroy()
      listener.close()
      await once(listener, 'close')
    },
  }

  function serve(socket: net.Socket): void {
    server.connections += 1
    sockets.add(socket)
    socket.setNoDelay(true)
    socket.on('error', () => {})
    let drip: NodeJS.Timeout | undefined
    socket.on('close', () => {
      clearInterval(drip)
      sockets.delete(socket)
    })
    let pending = ''
    socket.on('data', (chunk) => {
      pending += chunk.toString('latin1')
      const end = pending.indexOf('\r\n\r\n')
      if (end === -1) return
      const { behaviour } = server
      if (behaviour === 'drop at the head') return void socket.resetAndDestroy()
      const head = pending.slice(0, end + 2)
      const length = Number(/content-length: (\d+)/i.exec(head)?.[1] ?? 0)
      if (behaviour === 'refuse the body') {
        socket.pause()
        socket.end('HTTP/1.1 413 Too Large\r\ncontent-length: 0\r\nconnection: close\r\n\r\n')
        return
      }
      if (pending.length < end + 4 + length) return
      const body = Buffer.from(pending.slice(end + 4, end + 4 + length), 'latin1').toString()
      pending = pending.slice(end + 4 + length)
      server.received.push({ head, body })
      if (behaviour === 'drop') return void socket.end()
      if (behaviour === 'reset') return void socket.resetAndDestroy()
      if (behaviour === 'stall') return
      socket.write(behaviour.raw, 'latin1')
      if (behaviour.next === 'drop') socket.end()
      if (behaviour.next === 'drip') drip = setInterval(() => socket.write('x'), 20)
    })
  }

  return server
}
