import postgres from 'postgres'
import { connectionError } from './database-error.ts'
import { dial } from './dial.ts'
import { driverOptions } from './driver-options.ts'
import type { Host, Target } from './target.ts'

/**
 * Says which of several hosts is the primary, by asking all of them at once; the first that says it is wins.
 * One that is paused or gone holds nobody up. With a single host there is nothing to ask: the driver refuses
 * a session on a standby by itself.
 */
export function createPrimaryFinder(target: Target): (hosts: Host[]) => Promise<Host> {
  return async (hosts) => {
    const [only] = hosts
    if (only !== undefined && hosts.length === 1) return only
    try {
      return await Promise.any(hosts.map((host) => requirePrimary(target, host)))
    } catch (error) {
      throw connectionError('NO_PRIMARY', 'None of the database hosts is a primary that answers', error)
    }
  }
}

async function requirePrimary(target: Target, host: Host): Promise<Host> {
  const socket = await dial(host, target.tls, target.connectTimeout)
  const settings = { application_name: 'bellhop: which host is the primary?' }
  const sql = postgres(driverOptions(target, 1, settings, async () => socket))
  try {
    await sql`select`
    return host
  } finally {
    await sql.end({ timeout: 0 })
    socket.destroy()
  }
}
