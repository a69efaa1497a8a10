import { Socket } from 'node:net'
import { connectionError } from './database-error.ts'
import { socketName } from './socket-path.ts'
import type { Host } from './target.ts'
import { askForTls, noTls, startTls, type TlsPolicy } from './tls.ts'

/** After so many seconds without traffic the system asks whether the other side is still there. */
const KEEP_ALIVE = 10

/**
 * A connection to one host, encrypted as the policy says, on which nothing of PostgreSQL's protocol has been
 * spoken yet. Unix sockets are never encrypted.
 * @param timeout milliseconds for all of it
 * @throws an error with code CONNECT_FAILED, CONNECT_TIMEOUT or TLS_REFUSED, whose cause says more
 */
export async function dial(host: Host, tls: TlsPolicy, timeout: number): Promise<Socket> {
  const socket = new Socket()
  const timer = setTimeout(() => {
    socket.destroy(connectionError('CONNECT_TIMEOUT', 'The database server did not answer in time'))
  }, timeout)
  try {
    await connect(socket, host)
    if (host.kind === 'unix') return socket
    // It was paused while it was asked for TLS; nothing comes before it is spoken to.
    return (await startTls(socket, host.host, tls)).resume()
  } catch (error) {
    socket.destroy()
    const known = error instanceof Error && 'code' in error && KNOWN.includes(error.code)
    throw known ? error : connectionError('CONNECT_FAILED', 'The database server cannot be reached', error)
  } finally {
    clearTimeout(timer)
  }
}

const KNOWN: unknown[] = ['CONNECT_TIMEOUT', 'CONNECTION_CLOSED', 'TLS_REFUSED']

async function connect(socket: Socket, host: Host): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>()
  socket.once('connect', resolve)
  socket.once('error', reject)
  if (host.kind === 'tcp') {
    socket.setNoDelay(true)
    socket.setKeepAlive(true, KEEP_ALIVE * 1000)
    socket.connect(host.port, host.host)
    await promise
  } else {
    const { name, release } = socketName(host.path)
    try {
      socket.connect(name)
      await promise
    } finally {
      release()
    }
  }
  socket.off('error', reject)
}

/**
 * True where a PostgreSQL server answers at that host within `timeout` milliseconds. It asks for TLS, which
 * every server answers with one byte before anything else, and goes.
 */
export async function answers(host: Host, timeout: number): Promise<boolean> {
  const started = performance.now()
  let socket: Socket | null = null
  try {
    socket = await dial(host, noTls, timeout)
    const asked = socket
    const timer = setTimeout(() => asked.destroy(), Math.max(0, timeout - (performance.now() - started)))
    try {
      await askForTls(socket)
    } finally {
      clearTimeout(timer)
    }
    return true
  } catch {
    return false
  } finally {
    socket?.destroy()
  }
}
