import { once } from 'node:events'
import type { Server } from 'node:http'
import { type AddressInfo, createServer, type Socket } from 'node:net'
import { setTimeout as pause } from 'node:timers/promises'
import { Worker } from 'node:worker_threads'
import type { Door } from './door-knock.ts'

/** Connections beside the one that the kernel always keeps for us: with it there is room for two. */
const BACKLOG = 1
/** Milliseconds in which those who have just connected are heard, and those who stay are told to go. */
const LINGER_MS = 300
/** Milliseconds after which the door is closed on whoever stands before it. */
const PATIENCE_MS = 1000
/** Milliseconds that this process stands still for a knock to be heard. */
const KNOCK_MS = 20

/**
 * Stops listening without a word broken off: when a listening socket is closed, the kernel resets every
 * connection that it has taken and that the process has not (Linux, `inet_csk_listen_stop`), and under load
 * there always are some, since each turn of the event loop takes one.
 *
 * So the line before the door is made short, and all who stand in it are let in; they are served when it is
 * closed. Then a thread connects twice while this one stands still. If both got in, they fill the line: nobody
 * else stands in it, nor can come before it is closed. Who comes later is refused.
 * @param server listens on a TCP port
 * @returns when the door is closed, and everybody has been served and has gone
 */
export async function closeDoor(server: Server): Promise<void> {
  const address = server.address()
  if (address === null || typeof address === 'string') return
  const thread = startKnocking(address)
  await pause(LINGER_MS)
  const came: Socket[] = []
  // As http.Server makes its connections.
  const door = createServer({ allowHalfOpen: true, noDelay: true }, (socket) =>
    came.push(socket.on('error', () => {})),
  )
  // Where the line cannot be made short, it is closed as it is.
  door.on('error', () => {})
  const served = once(door, 'close')
  try {
    // Without a thread the line is emptied all the same, and only its last moment is left to chance.
    const canKnock = await thread.ready
    const until = performance.now() + PATIENCE_MS
    // The same socket: it is told a shorter line, and its connections come to us from now on.
    door.listen(server, BACKLOG)
    while (performance.now() < until) {
      const before = came.length
      // A whole turn in which nobody came: the line is empty.
      await nextTurn()
      await nextTurn()
      if (came.length === before && (!canKnock || thread.knock())) break
    }
  } finally {
    door.close()
    for (const socket of came) {
      // Whoever left without a word, as a knock does, has been heard to leave, and the server would wait for it.
      if (socket.readableEnded || socket.destroyed) socket.destroy()
      else server.emit('connection', socket)
    }
    void thread.end()
  }
  // What has come meanwhile on the connections that are kept is read before those that are idle are closed.
  await nextTurn()
  const gone = once(server, 'close')
  server.close()
  await Promise.all([gone, served])
}

function nextTurn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve))
}

/** A thread that connects when it is told, and is heard while this thread stands still. */
function startKnocking({ address, port }: AddressInfo) {
  const heard = new Int32Array(new SharedArrayBuffer(Int32Array.BYTES_PER_ELEMENT))
  const door: Door = { heard, port, host: address === '::' ? '::1' : address.replace('0.0.0.0', '127.0.0.1') }
  const worker = new Worker(new URL('./door-knock.ts', import.meta.url), { workerData: door })
  worker.on('error', () => {})
  let knocks = 0
  return {
    ready: once(worker, 'message').then(
      () => true,
      () => false,
    ),
    /** True where both of its connections got in. */
    knock() {
      worker.postMessage(++knocks)
      const until = performance.now() + KNOCK_MS
      while (Atomics.load(heard, 0) !== knocks) {
        const left = until - performance.now()
        if (left <= 0) return false
        Atomics.wait(heard, 0, Atomics.load(heard, 0), left)
      }
      return true
    },
    end: () => worker.terminate(),
  }
}
