import { setTimeout as pause } from 'node:timers/promises'
import postgres from 'postgres'
import { createDialer, type DialerOptions } from './dialer.ts'
import { driverOptions } from './driver-options.ts'
import type { SessionSettings } from './session.ts'
import type { Target } from './target.ts'

/** Milliseconds that a close lets statements finish. */
const CLOSE_PATIENCE = 5000

/** One pool of the driver's, with the connections it has made. */
export type DriverPool = {
  sql: postgres.Sql
  use(): { open: number; busy: number }
  /** Lets what is under way finish, within `ms` milliseconds or until `hurry` is aborted, and ends the rest. */
  retire(ms: number, hurry: AbortSignal): Promise<void>
  /** Takes nothing new, lets what is under way finish, and ends. */
  close(): Promise<void>
}

export function createDriverPool(
  target: Target,
  max: number,
  settings: SessionSettings,
  options: DialerOptions,
): DriverPool {
  const dialer = createDialer(target, options)
  const sql = postgres(driverOptions(target, max, settings, dialer.connect))
  return {
    sql,
    use: dialer.use,
    async retire(ms, hurry) {
      await pause(ms, undefined, { signal: hurry }).catch(() => {})
      await sql.end({ timeout: 0 })
      dialer.close()
    },
    async close() {
      await sql.end({ timeout: CLOSE_PATIENCE / 1000 })
      dialer.close()
    },
  }
}
