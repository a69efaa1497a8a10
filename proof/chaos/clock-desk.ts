import { once } from 'node:events'
import { createServer } from 'node:http'
import { setTimeout as pause } from 'node:timers/promises'
import type { DeskReport } from './desk.ts'

/** Milliseconds that an attempt takes, so that some are under way at every moment. */
const SLOW_MS = 300
/** One message in so many is refused at first, so that some wait for their next attempt at every moment. */
const REFUSES = 4

export type ClockDesk = {
  port: number
  report(): Promise<DeskReport>
  /** How often an attempt of a message began while another of it was under way. */
  atOnce(): number
  close(): Promise<void>
}

/** A webhook that is slow, and refuses some messages twice (503) before it takes them. */
export async function startClockDesk(): Promise<ClockDesk> {
  const tries = new Map<string, number>()
  const underWay = new Set<string>()
  const taken = new Map<string, string>()
  let doubles = 0
  let atOnce = 0
  const server = createServer(async (request, response) => {
    const id = String(request.headers['webhook-id'])
    const chunks: Buffer[] = []
    for await (const chunk of request) chunks.push(chunk as Buffer)
    if (underWay.has(id)) atOnce++
    underWay.add(id)
    await pause(SLOW_MS)
    underWay.delete(id)
    const tried = tries.get(id) ?? 0
    tries.set(id, tried + 1)
    if (Number.parseInt(id.slice(-4), 16) % REFUSES === 0 && tried < 2) {
      response.writeHead(503).end()
      return
    }
    const { data } = JSON.parse(Buffer.concat(chunks).toString()) as { data: { ticket_id: string } }
    if (taken.has(id)) doubles++
    taken.set(id, data.ticket_id)
    response.writeHead(204).end()
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('no port')
  return {
    port: address.port,
    report: async () => ({
      received: [...taken].map(([id, ticket]) => [ticket, id]),
      doubles,
      differing: [],
    }),
    atOnce: () => atOnce,
    async close() {
      const closed = once(server, 'close')
      server.close()
      server.closeAllConnections()
      await closed
    },
  }
}
