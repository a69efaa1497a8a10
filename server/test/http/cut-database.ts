import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { connect, createServer, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { DatabaseEndpoint } from '../../src/database/pool.ts'

export type CutDatabase = {
  /** The same database, by way of a line that can be cut. */
  endpoint: DatabaseEndpoint
  /** Ends all connections and takes no new one. */
  cut(): Promise<void>
  /** Keeps the connections, and lets nothing through. */
  silence(): void
  mend(): Promise<void>
  stop(): Promise<void>
}

/** Stands between a pool and its server, as a network does. */
export async function lineTo(endpoint: DatabaseEndpoint): Promise<CutDatabase> {
  if (endpoint.kind !== 'socket') throw new Error('The test server is reached by its socket')
  const folder = await mkdtemp(join(tmpdir(), 'bellhop-test-'))
  const path = join(folder, 'line')
  const pairs = new Set<[Socket, Socket]>()
  let silent = false
  const server = createServer((client) => {
    const pair: [Socket, Socket] = [client, connect(endpoint.path)]
    pairs.add(pair)
    const end = () => {
      pairs.delete(pair)
      for (const socket of pair) socket.destroy()
    }
    for (const socket of pair) socket.on('error', end).on('close', end)
    if (!silent) connectBoth(pair)
  })
  const listen = async () => {
    server.listen(path)
    await once(server, 'listening')
  }
  const cut = async () => {
    const closed = once(server, 'close')
    server.close()
    for (const pair of pairs) for (const socket of pair) socket.destroy()
    await closed
  }
  await listen()
  return {
    endpoint: { ...endpoint, path },
    cut,
    silence() {
      silent = true
      for (const [client, upstream] of pairs) {
        client.unpipe(upstream)
        upstream.unpipe(client)
      }
    },
    async mend() {
      silent = false
      for (const pair of pairs) connectBoth(pair)
      if (!server.listening) await listen()
    },
    async stop() {
      if (server.listening) await cut()
      await rm(folder, { recursive: true, force: true })
    },
  }
}

function connectBoth([client, upstream]: [Socket, Socket]): void {
  client.pipe(upstream).pipe(client)
}
