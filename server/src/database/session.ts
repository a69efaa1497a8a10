import type postgres from 'postgres'

/** Settings that every session starts with, as startup parameters. They go before those of the server's files. */
export type SessionSettings = Record<string, string | number>

export function sessionSettings(options: {
  applicationName: string
  statementTimeout: number
  lockTimeout: number
}): SessionSettings {
  return {
    application_name: options.applicationName,
    statement_timeout: options.statementTimeout,
    lock_timeout: options.lockTimeout,
    // A transaction of ours makes no network call, so one that idles has lost its process.
    idle_in_transaction_session_timeout: 15_000,
    // A server whose default is `off` or `local` would make our COMMIT a promise it cannot keep. `on` waits
    // for this disk and for the synchronous standbys' disks. `remote_apply` would add nothing that we need.
    synchronous_commit: 'on',
    // The idempotency key's INSERT … ON CONFLICT counts on it.
    default_transaction_isolation: 'read committed',
    // What the driver's parsers of dates and bytes read.
    TimeZone: 'UTC',
    DateStyle: 'ISO, YMD',
    bytea_output: 'hex',
  }
}

/** Beyond the driver's own: without it a bigint arrives as text. Arrays go as JSON. */
export const COLUMN_TYPES: Record<string, postgres.PostgresType> = {
  // Counts and sizes: exact up to 2^53.
  bigint: { to: 20, from: [20], serialize: String, parse: Number },
}
