import { once } from 'node:events'
import { connect, type Socket } from 'node:net'

export type RawAnswer = {
  status: number
  /** Lower-case names; the last of equal ones. */
  headers: Record<string, string>
  text: string
  body: Record<string, unknown>
}

export type RawConnection = {
  readonly socket: Socket
  write(bytes: string | Buffer): void
  /** All that came so far. */
  received(): string
  /** The next answer in what came, as soon as it is whole. A HEAD's has no body. */
  answer(options?: { head?: boolean }): Promise<RawAnswer>
  /** When the server has hung up, in whatever way. */
  readonly closed: Promise<void>
}

/** A connection on which anything can be said, HTTP or not. */
export async function openRaw(url: string): Promise<RawConnection> {
  const { hostname, port } = new URL(url)
  const socket = connect(Number(port), hostname)
  await once(socket, 'connect')
  let pending = Buffer.alloc(0)
  let all = ''
  const closed = new Promise<void>((resolve) => {
    socket.once('close', () => resolve())
  })
  // A reset is a way to hang up.
  socket.on('error', () => {})
  socket.on('data', (bytes: Buffer) => {
    pending = Buffer.concat([pending, bytes])
    all += bytes.toString('latin1')
  })

  function take(head: boolean): RawAnswer | null {
    const end = pending.indexOf('\r\n\r\n')
    if (end === -1) return null
    const [line = '', ...lines] = pending.subarray(0, end).toString('latin1').split('\r\n')
    const headers = Object.fromEntries(
      lines.map((each) => [
        each.slice(0, each.indexOf(':')).toLowerCase(),
        each.slice(each.indexOf(':') + 1).trim(),
      ]),
    )
    const length = head ? 0 : Number(headers['content-length'] ?? 0)
    if (pending.length < end + 4 + length) return null
    const text = pending.subarray(end + 4, end + 4 + length).toString()
    pending = pending.subarray(end + 4 + length)
    const isJson = headers['content-type']?.startsWith('application/json') ?? false
    const body = isJson && text !== '' ? JSON.parse(text) : {}
    return { status: Number(line.split(' ')[1]), headers, text, body }
  }

  return {
    socket,
    closed,
    write: (bytes) => void socket.write(bytes),
    received: () => all,
    async answer({ head = false } = {}) {
      for (let taken = take(head); ; taken = take(head)) {
        if (taken !== null) return taken
        if (socket.closed) throw new Error(`the server hung up after ${JSON.stringify(all.slice(0, 200))}`)
        await Promise.race([once(socket, 'data').catch(() => {}), closed])
      }
    },
  }
}

/** Says it all at once, gives the first answer, and hangs up. */
export async function sayRaw(url: string, bytes: string | Buffer, head = false): Promise<RawAnswer> {
  const connection = await openRaw(url)
  try {
    connection.write(bytes)
    return await connection.answer({ head })
  } finally {
    connection.socket.destroy()
  }
}

/** A request's head; `Host` is there unless said otherwise, and a header of several lines may be a list. */
export function headOf(
  method: string,
  path: string,
  headers: Record<string, string | number | string[] | undefined> = {},
): string {
  const lines = Object.entries({ host: 'localhost', ...headers }).flatMap(([name, value]) =>
    value === undefined ? [] : [value].flat().map((each) => `${name}: ${each}\r\n`),
  )
  return `${method} ${path} HTTP/1.1\r\n${lines.join('')}\r\n`
}
