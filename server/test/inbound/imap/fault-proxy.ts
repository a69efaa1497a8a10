import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'

/**
 * Where a connection breaks: as the command arrives, so that the server never hears it; once the server has done it, so
 * that nobody hears of that; or in the middle of what it says, after so many bytes. Or it does not break, and nothing is
 * heard any more.
 */
export type Break = { command: number; moment: 'before' | 'after' | 'silent' | { within: number } }

/** Stands between a client and an IMAP server, and breaks the connection at one command. */
export type FaultProxy = {
  port: number
  /** The commands that were sent so far, `LOGIN` or `UID FETCH`, with `DONE` for the end of IDLE. */
  commands: string[]
  /** Breaks once, at this command, counted from the start of the proxy or the last call. */
  breakAt(where: Break): void
  /** Whether that has happened. */
  broke(): boolean
  /** Cuts every connection now. */
  cut(): void
  /** Connections so far. */
  connections(): number
  close(): Promise<void>
}

/** @param onCommand is told of each command before it goes on */
export async function startFaultProxy(
  port: number,
  onCommand?: (command: string) => void,
): Promise<FaultProxy> {
  const commands: string[] = []
  const sockets = new Set<Socket>()
  let where: Break | null = null
  let broken = false
  let counted = 0
  let connections = 0

  const server = createServer({ noDelay: true }, (client) => {
    connections++
    const upstream = connect({ port, host: '127.0.0.1', noDelay: true })
    const hangUp = () => {
      client.destroy()
      upstream.destroy()
    }
    for (const socket of [client, upstream]) {
      sockets.add(socket)
      socket.on('error', hangUp).once('close', () => {
        sockets.delete(socket)
        hangUp()
      })
    }
    let line = ''
    /** The tag whose answer is not to arrive, and how many bytes may. */
    let withheld: { tag: string; bytes: number } | null = null
    let answer = ''

    client.on('data', (chunk: Buffer) => {
      line += chunk.toString('latin1')
      const whole = line.split('\r\n')
      line = whole.pop() ?? ''
      for (const one of whole) {
        const command = nameOf(one)
        if (command !== null) {
          commands.push(command)
          onCommand?.(command)
          const here = where !== null && !broken && counted++ === where.command ? where.moment : null
          if (here === 'before') {
            broken = true
            hangUp()
            return
          }
          if (here !== null) {
            broken = true
            // What ends IDLE has no tag of its own.
            const tag = command === 'DONE' ? '' : (one.split(' ')[0] ?? '')
            const bytes = here === 'after' ? 0 : here === 'silent' ? Infinity : here.within
            withheld = { tag, bytes }
          }
        }
        upstream.write(`${one}\r\n`, 'latin1')
      }
    })
    upstream.on('data', (chunk: Buffer) => {
      if (withheld === null) {
        client.write(chunk)
        return
      }
      answer += chunk.toString('latin1')
      const end = withheld.tag === '' ? ' OK' : `${withheld.tag} `
      // An answer may also be that the server waits for more.
      const done = answer.startsWith('+') || answer.includes(end)
      if (withheld.bytes === Infinity) return
      if (!done && answer.length <= withheld.bytes) return
      const some = Buffer.from(answer.slice(0, withheld.bytes), 'latin1')
      client.end(some, hangUp)
      withheld = { tag: '\0', bytes: Infinity }
    })
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    port: (server.address() as AddressInfo).port,
    commands,
    breakAt(at) {
      where = at
      broken = false
      counted = 0
    },
    broke: () => broken,
    cut() {
      for (const socket of sockets) socket.destroy()
    },
    connections: () => connections,
    async close() {
      for (const socket of sockets) socket.destroy()
      server.close()
      await once(server, 'close')
    },
  }
}

/** What a line asks for; null where it is a part of a command. */
function nameOf(line: string): string | null {
  if (line.toUpperCase() === 'DONE') return 'DONE'
  const [, first, second] = /^[A-Za-z0-9]+ ([A-Za-z]+)(?: ([A-Za-z]+))?/.exec(line) ?? []
  if (first === undefined) return null
  const name = first.toUpperCase()
  return name === 'UID' ? `UID ${second?.toUpperCase()}` : name
}
