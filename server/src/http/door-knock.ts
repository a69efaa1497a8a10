import { connect, type Socket } from 'node:net'
import { parentPort, workerData } from 'node:worker_threads'

/** The thread of close-door.ts: told a number, it connects twice, and when both are in, that number is heard. */
export type Door = { heard: Int32Array; port: number; host: string }

const { heard, port, host } = workerData as Door
let knocking: Socket[] = []

parentPort?.on('message', (knock: number) => {
  for (const socket of knocking) socket.destroy()
  let inside = 0
  const onIn = () => {
    inside++
    if (inside < 2) return
    Atomics.store(heard, 0, knock)
    Atomics.notify(heard, 0)
  }
  knocking = [connect(port, host), connect(port, host)]
  for (const socket of knocking) socket.on('connect', onIn).on('error', () => {})
})
parentPort?.postMessage('ready')
