import type { Socket } from 'node:net'
import { Duplex } from 'node:stream'
import { setTimeout as pause } from 'node:timers/promises'
import { connectionError } from './database-error.ts'
import { answers, dial } from './dial.ts'
import { createPidReader, type IsAtWork } from './sessions.ts'
import type { Host, Target } from './target.ts'

/** Milliseconds after which the server is asked what became of a question. */
const SUSPECT = 2500

/** Milliseconds for an answer that is on its way while the server says that it is given. */
const IN_FLIGHT = 100

/** However alive the host looks, a session that has left a question open for so many milliseconds, and for longer
 * than a statement may take, is given up. */
const PATIENCE = 5 * 60_000

/** Milliseconds that a connection must last for the next to be tried without a wait. */
const GOOD_LIFE = 500

export type Dialer = {
  /** A connection to the primary. It never throws: what went wrong is an error of the connection it gives. */
  connect(): Promise<Duplex>
  /** Of the open connections, how many there are and how many wait for the server's answer. */
  use(): { open: number; busy: number }
  /** Ends every connection at once. */
  close(): void
}

export type DialerOptions = {
  /** Which of several hosts takes writes; asked again after a connection broke. */
  findPrimary: (hosts: Host[]) => Promise<Host>
  /**
   * Whether the server is at work for a session. A question that stays unanswered while the server knows nothing
   * of it was lost on the way, or its answer was, as happens where something in between has forgotten the
   * connection without a word. Such a connection is dropped.
   */
  isAtWork: IsAtWork
  /**
   * Milliseconds after which an unanswered question has its connection dropped where the host does not answer any
   * more: more than the server's own timeouts allow a statement. Where it does, and is at work on it, the session
   * is left to the server: in the wait for a synchronous standby, every dropped one would go on holding one of
   * the server's connections.
   */
  silence: number
  /** Called when a connection ends that we did not end. */
  onBroken: () => void
  /** How many connections in a row did not last; several dialers of one database count together. */
  failures: { count: number }
}

/**
 * Makes a pool's connections and watches over them. The driver, left to itself, loops without a pause over
 * several hosts, never gives up on one that hangs, and keeps sockets of vanished hosts for good.
 */
export function createDialer(target: Target, options: DialerOptions): Dialer {
  const open = new Map<Socket, () => boolean>()
  let primary: Promise<Host> | null = null
  let closed = false
  let brokeOnce = false

  async function connect(): Promise<Duplex> {
    // The pool has been replaced (see pool.ts). What still asks for a connection of it is told at once: the driver
    // may have lost the way to write on one that it makes anew.
    if (brokeOnce) return broken(connectionError('CONNECTION_CLOSED', 'The connection broke'))
    try {
      if (options.failures.count > 0) await pause(backOff(options.failures.count))
      primary ??= options.findPrimary(target.hosts)
      const asked = primary
      const host = await asked
      const socket = await dial(host, target.tls, target.connectTimeout)
      if (closed) {
        socket.destroy()
        throw connectionError('CONNECTION_ENDED', 'The pool is closed')
      }
      watch(socket, host)
      return socket
    } catch (error) {
      primary = null
      options.failures.count++
      return broken(error)
    }
  }

  function broke(): void {
    brokeOnce = true
    options.onBroken()
  }

  function watch(socket: Socket, host: Host): void {
    // Whatever was written after the last byte that came is a question without an answer.
    let answered = socket.bytesWritten
    let suspectSince: number | null = null
    let pid: number | null | undefined = null
    const readPid = createPidReader()
    socket.on('data', (chunk: Buffer) => {
      answered = socket.bytesWritten
      suspectSince = null
      if (pid === null) pid = readPid(chunk)
    })
    const waits = () => socket.bytesWritten > answered
    socket.setTimeout(SUSPECT)
    socket.on('timeout', async () => {
      if (!waits()) return
      suspectSince ??= performance.now()
      const suspected = suspectSince
      const waiting = await isWaitedFor(host, pid ?? null, suspected)
      if (!waiting) await pause(IN_FLIGHT)
      if (suspectSince !== suspected || socket.destroyed) return
      if (waiting) socket.setTimeout(SUSPECT)
      else socket.destroy(connectionError('CONNECTION_SILENT', 'The database server fell silent'))
    })
    // The driver takes a quiet end during the log-in for a reason to try again at once, without end.
    socket.once('end', () => {
      if (!socket.writableEnded) {
        socket.destroy(connectionError('CONNECTION_CLOSED', 'The database server hung up'))
      }
    })
    // Before the driver hears of it, and not only at the close: in between it has failed the statement that was
    // under way, and would put the next one behind it on the same dead connection, and forget it there.
    socket.once('error', broke)
    const since = performance.now()
    open.set(socket, waits)
    socket.once('close', () => {
      open.delete(socket)
      primary = null
      const ours = closed || socket.writableEnded
      if (performance.now() - since >= GOOD_LIFE || ours) options.failures.count = 0
      else options.failures.count++
      if (!ours) broke()
    })
    setTimeout(() => {
      if (!socket.destroyed) options.failures.count = 0
    }, GOOD_LIFE).unref()
  }

  /** Whether an answer may still come over a connection whose question has long been without one. */
  async function isWaitedFor(host: Host, pid: number | null, since: number): Promise<boolean> {
    if (performance.now() - since >= Math.max(PATIENCE, options.silence)) return false
    const atWork = pid === null ? null : await options.isAtWork(host, pid)
    if (atWork !== null) return atWork
    const waited = performance.now() - since + SUSPECT
    return waited < options.silence || (await answers(host, options.silence / 4))
  }

  return {
    connect,
    use: () => ({ open: open.size, busy: [...open.values()].filter((waits) => waits()).length }),
    close() {
      closed = true
      for (const socket of open.keys()) socket.destroy()
    },
  }
}

/** Milliseconds before a connection is tried again: 50 at first, never more than 1,000, so that an outage ends soon. */
function backOff(failures: number): number {
  return (0.5 + Math.random() / 2) * Math.min(50 * 2 ** failures, 1000)
}

/**
 * A connection that takes whatever is written and then fails. The driver would lose the slot of a connection
 * whose making is rejected, and one that closes before its first write is through never writes again.
 */
function broken(error: unknown): Duplex {
  const stream = new Duplex({ read: () => {}, write: (_chunk, _encoding, done) => done() })
  // The driver writes in the immediate after this one.
  setImmediate(() =>
    setImmediate(() => stream.destroy(error instanceof Error ? error : new Error('Not connected'))),
  )
  return stream
}
