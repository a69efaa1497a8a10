import postgres from 'postgres'
import { dial } from './dial.ts'
import { driverOptions } from './driver-options.ts'
import type { Host, Target } from './target.ts'

/** Milliseconds for the answer. */
const PATIENCE = 2500

/** Whether the server is at work for the session that its process id names; null where it does not say. */
export type IsAtWork = (host: Host, pid: number) => Promise<boolean | null>

/** The state of each session by its process id; null: not shown to this role. */
type Sessions = Map<number, string | null>

/**
 * Asks the server, over a connection made for it, which sessions are at work. Many who ask at once of a host are
 * told together, by one question that is put after the last of them asked.
 */
export function createSessionsAtWork(target: Target): IsAtWork {
  const now = new Map<Host, Promise<unknown>>()
  const next = new Map<Host, Promise<Sessions | null>>()

  function look(host: Host): Promise<Sessions | null> {
    const waiting = next.get(host)
    if (waiting !== undefined) return waiting
    const asked: Promise<Sessions | null> = Promise.resolve(now.get(host)).then(() => {
      next.delete(host)
      now.set(
        host,
        asked.finally(() => now.delete(host)),
      )
      return ask(target, host)
    })
    next.set(host, asked)
    return asked
  }

  return async (host, pid) => {
    const sessions = await look(host)
    if (sessions === null) return null
    // The session has ended.
    if (!sessions.has(pid)) return false
    const state = sessions.get(pid) ?? null
    if (state === null || state === 'disabled') return null
    return !state.startsWith('idle')
  }
}

/** Null where the server does not answer, or where something in between tells process ids of its own. */
async function ask(target: Target, host: Host): Promise<Sessions | null> {
  const since = performance.now()
  try {
    const socket = await dial(host, target.tls, Math.min(target.connectTimeout, PATIENCE))
    const left = PATIENCE - (performance.now() - since)
    const timer = setTimeout(() => socket.destroy(new Error('The server did not say in time')), left)
    let told: number | null | undefined = null
    const readPid = createPidReader()
    socket.on('data', (chunk: Buffer) => {
      if (told === null) told = readPid(chunk)
    })
    const settings = { application_name: 'bellhop: which sessions are at work?' }
    const sql = postgres(driverOptions(target, 1, settings, async () => socket))
    try {
      // Of all roles: the one that a session logs in as need not be the one that it goes on as.
      const rows = await sql<{ pid: number; state: string | null; own: boolean }[]>`
        SELECT pid, state, pid = pg_backend_pid() AS own FROM pg_stat_activity`
      if (rows.find(({ own }) => own)?.pid !== told) return null
      return new Map(rows.map(({ pid, state }) => [pid, state]))
    } finally {
      clearTimeout(timer)
      await sql.end({ timeout: 0 })
      socket.destroy()
    }
  } catch {
    return null
  }
}

/** What the first bytes of a session may come to before its process id must have been among them. */
const GREETING_LIMIT = 65_536
/** BackendKeyData and ReadyForQuery (PostgreSQL manual, 54.7). */
const KEY = 'K'.charCodeAt(0)
const READY = 'Z'.charCodeAt(0)

/**
 * Reads the process id of a session's server out of the first bytes that come.
 * @returns what to feed with each chunk: the id, null where it has not come yet, undefined where it never will
 */
export function createPidReader(): (chunk: Buffer) => number | null | undefined {
  let greeting: Buffer = Buffer.alloc(0)
  return (chunk) => {
    greeting = Buffer.concat([greeting, chunk])
    for (let at = 0; greeting.length >= at + 5; ) {
      const type = greeting[at]
      const end = at + 1 + greeting.readInt32BE(at + 1)
      if (type === READY || end <= at) return undefined
      if (type === KEY && greeting.length >= at + 9) return greeting.readInt32BE(at + 5)
      at = end
    }
    return greeting.length > GREETING_LIMIT ? undefined : null
  }
}
