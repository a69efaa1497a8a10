/** Listens to many tickets' events at once, in a process of its own. */
import { connect, type Socket } from 'node:net'
import { serveAsPeer } from './peer.ts'

/** Connections that are opened at once: the kernel's line of a server that is just started is no measure. */
const AT_ONCE = 100

export type ListenerSettings = { port: number; streams: { ticketId: string; token: string }[] }
/** How many were greeted, have heard an event, and were ended. */
export type Listening = { open: number; heard: number; ended: number }

async function startListeners({ port, streams }: ListenerSettings) {
  const now: Listening = { open: 0, heard: 0, ended: 0 }
  const waiting = streams.values()

  function listen({ ticketId, token }: ListenerSettings['streams'][number]): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>()
    const socket: Socket = connect(port, '127.0.0.1')
    let head: string | null = ''
    let hasHeard = false
    socket.write(
      `GET /v1/support/tickets/${ticketId}/events HTTP/1.1\r\nhost: bench\r\nauthorization: Bearer ${token}\r\n\r\n`,
    )
    socket.on('data', (bytes: Buffer) => {
      if (head !== null) {
        head += bytes.toString('latin1')
        if (!head.includes('retry: ')) return
        head = null
        now.open++
        resolve()
      } else if (!hasHeard && bytes.includes('data: ')) {
        hasHeard = true
        now.heard++
      }
    })
    socket.on('error', () => {})
    socket.on('close', () => {
      now.ended++
      reject(new Error(`a stream ended: ${head ?? 'after it was open'}`))
    })
    return promise
  }

  await Promise.all(
    Array.from({ length: AT_ONCE }, async () => {
      for (const stream of waiting) await listen(stream)
    }),
  )
  return { ready: now, answer: async () => now }
}

serveAsPeer(startListeners)
