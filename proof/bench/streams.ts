import { setTimeout as pause } from 'node:timers/promises'
import { holdersOf } from '../requests.ts'
import { startBellhop, withFolder } from '../servers.ts'
import { type Peer, startPeer } from './peer.ts'
import type { ListenerSettings, Listening } from './stream-listeners.ts'

/** Streams of one person, as the server allows. */
const OF_ONE_PERSON = 5
/** Milliseconds: each has had a heartbeat, and its token was judged again. */
const SETTLE_MS = 45_000
const AT_ONCE = 16

export type StreamsMeasured = {
  streams: number
  /** MiB of the one process that serves them, without PostgreSQL. */
  idle: number
  open: number
  /** After heartbeats, judgements and an event on each. */
  settled: number
  peak: number | null
  /** Seconds until all were open, and until all had heard an event that was told to each. */
  opening: number
  telling: number
  ended: number
}

/**
 * Opens this many event streams on one process, with the client in its own.
 * @param node options of Node
 */
export function measureStreams(streams = 10_000, node: string[] = []): Promise<StreamsMeasured> {
  return withFolder(async (folder) => {
    const bellhop = await startBellhop(folder, { node })
    let peer: Peer<Listening, null, Listening> | null = null
    try {
      const url = `http://127.0.0.1:${bellhop.port}`
      const persons = Array.from({ length: Math.ceil(streams / OF_ONE_PERSON) }, (_, index) => `per_${index}`)
      const holders = await holdersOf(folder, persons)
      const tickets = await inTurns(holders, async ({ person, token }) => ({
        token,
        ticketId: await file(url, person, token),
      }))
      const idle = bellhop.residentMiB()
      const settings: ListenerSettings = {
        port: bellhop.port,
        streams: Array.from({ length: streams }, (_, index) => tickets[index % tickets.length]).filter(
          (ticket) => ticket !== undefined,
        ),
      }
      const started = performance.now()
      peer = await startPeer<Listening, null, Listening>('stream-listeners.ts', settings)
      const opening = (performance.now() - started) / 1000
      const open = bellhop.residentMiB()
      await pause(SETTLE_MS)
      const telling = performance.now()
      await inTurns(tickets, ({ ticketId, token }) => solve(url, ticketId, token))
      let now = await peer.ask(null)
      while (now.heard < streams && now.ended === 0) {
        await pause(50)
        now = await peer.ask(null)
      }
      return {
        streams,
        idle,
        open,
        settled: bellhop.residentMiB(),
        peak: bellhop.peakMiB(),
        opening,
        telling: (performance.now() - telling) / 1000,
        ended: now.ended,
      }
    } finally {
      await peer?.stop()
      await bellhop.stop()
    }
  })
}

async function inTurns<T, R>(all: T[], work: (one: T) => Promise<R>): Promise<R[]> {
  const results: R[] = []
  const waiting = all.values()
  const turns = Array.from({ length: AT_ONCE }, async () => {
    for (const one of waiting) results.push(await work(one))
  })
  await Promise.all(turns)
  return results
}

async function file(url: string, person: string, token: string): Promise<string> {
  const { ticket_id } = await send(`${url}/v1/support/tickets`, 'POST', token, {
    brand_id: 'acme',
    person_id: person,
    requester_email: 'ada@example.com',
    requester_name: 'Ada',
    subject: 'My order has not arrived',
    body: 'It was due on Monday.',
  })
  return String(ticket_id)
}

async function solve(url: string, ticketId: string, token: string): Promise<void> {
  await send(`${url}/v1/support/tickets/${ticketId}`, 'PATCH', token, { status: 'solved' })
}

async function send(
  url: string,
  method: string,
  token: string,
  body: object,
): Promise<Record<string, unknown>> {
  const response = await fetch(url, {
    method,
    headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
    body: JSON.stringify(body),
  })
  if (!response.ok) throw new Error(`${method} was answered ${response.status}`)
  return (await response.json()) as Record<string, unknown>
}
