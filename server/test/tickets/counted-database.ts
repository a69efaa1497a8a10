import { mkdtemp, rm } from 'node:fs/promises'
import { connect, createServer, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { DatabaseEndpoint } from '../../src/database/pool.ts'

export type CountedDatabase = {
  /** The same database, by way of the counter. */
  endpoint: DatabaseEndpoint
  /** The statements that were sent since the last call, in their order. */
  taken(): string[]
  stop(): Promise<void>
}

/** Stands between a pool and its server and reads what is sent (PostgreSQL manual, 54.7). */
export async function countStatements(endpoint: DatabaseEndpoint): Promise<CountedDatabase> {
  if (endpoint.kind !== 'socket') throw new Error('The test server is reached by its socket')
  const folder = await mkdtemp(join(tmpdir(), 'bellhop-test-'))
  const path = join(folder, 'counted')
  const sockets = new Set<Socket>()
  let statements: string[] = []
  const server = createServer((client) => {
    const upstream = connect(endpoint.path)
    const hear = listener((statement) => statements.push(statement))
    client.on('data', hear)
    client.pipe(upstream).pipe(client)
    for (const socket of [client, upstream]) {
      sockets.add(socket)
      socket.on('error', () => {})
      socket.on('close', () => {
        client.destroy()
        upstream.destroy()
      })
    }
  })
  await new Promise<void>((resolve) => server.listen(path, resolve))
  return {
    endpoint: { ...endpoint, path },
    taken() {
      const before = statements
      statements = []
      return before
    },
    async stop() {
      for (const socket of sockets) socket.destroy()
      await new Promise((resolve) => server.close(resolve))
      await rm(folder, { recursive: true, force: true })
    },
  }
}

/** Tells each statement that one connection has carried out: a Query, or the statement of a Bind. */
function listener(tell: (statement: string) => void): (bytes: Buffer) => void {
  const prepared = new Map<string, string>()
  let pending = Buffer.alloc(0)
  let started = false
  return (bytes) => {
    pending = Buffer.concat([pending, bytes])
    for (;;) {
      const at = started ? 1 : 0
      if (pending.length < at + 4) return
      const length = pending.readInt32BE(at)
      if (pending.length < at + length) return
      const [first = '', second = ''] = pending
        .subarray(at + 4, at + length)
        .toString('latin1')
        .split('\0', 2)
      const type = started ? String.fromCharCode(pending[0] ?? 0) : ''
      if (type === 'Q') tell(first)
      if (type === 'P') prepared.set(first, second)
      if (type === 'B') tell(prepared.get(second) ?? 'a statement that was never prepared')
      started = true
      pending = pending.subarray(at + length)
    }
  }
}
