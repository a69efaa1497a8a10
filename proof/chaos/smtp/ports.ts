import { once } from 'node:events'
import { createServer } from 'node:net'
import { whole } from '../random.ts'

/** Below those that systems give to outgoing connections, so that nobody takes one while nothing listens there. */
const LEAST = 20_000
const MOST = 31_999

/** So many ports of loopback that are free now. @throws where there are not so many */
export async function freePorts(random: () => number, count: number): Promise<number[]> {
  const ports: number[] = []
  const first = whole(random, LEAST, MOST)
  for (let step = 0; step <= MOST - LEAST && ports.length < count; step++) {
    const port = LEAST + ((first - LEAST + step) % (MOST - LEAST + 1))
    if (await isFree(port)) ports.push(port)
  }
  if (ports.length < count) throw new Error('there are too few free ports')
  return ports
}

async function isFree(port: number): Promise<boolean> {
  const server = createServer()
  const { promise, resolve } = Promise.withResolvers<boolean>()
  server.once('error', () => resolve(false))
  server.listen({ port, host: '127.0.0.1' }, () => resolve(true))
  const free = await promise
  if (free) {
    server.close()
    await once(server, 'close')
  }
  return free
}
