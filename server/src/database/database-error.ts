/**
 * What can go wrong between Bellhop and its database, told apart: the database is away (503, tried again),
 * or a bug of ours (500).
 */

/** A statement did not answer in time. It may still be carried out. */
export class DatabaseDeadline extends Error {
  override readonly name = 'DatabaseDeadline'
  readonly code = 'DATABASE_DEADLINE'
}

/** A connection that could not be made or broke, with a code of its own beside those of the system. */
export function connectionError(code: string, message: string, cause?: unknown): Error & { code: string } {
  return Object.assign(new Error(message, { cause }), { code })
}

/**
 * Of the driver, the dialer, and the breaks that the system tells of. A connection that cannot be made is
 * CONNECT_FAILED with the system's code as its cause, so that an ENOENT or EMFILE of something else is not
 * taken for it.
 */
const AWAY_CODES = new Set([
  'DATABASE_DEADLINE',
  'DATABASE_BUSY',
  'CONNECT_FAILED',
  'CONNECT_TIMEOUT',
  'CONNECTION_CLOSED',
  'CONNECTION_ENDED',
  'CONNECTION_DESTROYED',
  'CONNECTION_SILENT',
  'NO_PRIMARY',
  'TLS_REFUSED',
  'ECONNRESET',
  'ECONNABORTED',
  'EPIPE',
  'ETIMEDOUT',
  'EHOSTUNREACH',
  'EHOSTDOWN',
  'ENETUNREACH',
  'ENETDOWN',
  'ERR_STREAM_DESTROYED',
  'ERR_STREAM_WRITE_AFTER_END',
])

/** lock_not_available: a lock that was waited for in vain. */
const LOCK_TIMEOUT = '55P03'

/** deadlock_detected: two waited for each other, and this one was ended for it. */
const DEADLOCK = '40P01'

/** SQLSTATEs (PostgreSQL manual, appendix A) that say "not now"; two characters stand for a class. */
const AWAY_STATES = [
  '08', // connection exceptions
  '53', // disk full, out of memory, too many connections
  '58', // I/O errors of the server's own
  '57P', // shutdown, crash, starting up, idle session ended
  '57014', // statement timeout
  LOCK_TIMEOUT,
  '25006', // read-only: a primary that became a standby
  '25P03', // idle in transaction for too long
  '25P04', // transaction timeout
  '40001', // serialization failure
  DEADLOCK,
  '28', // the password or pg_hba is wrong for now: the operator's to mend, not the caller's
  '3D000', // the database is not there (yet)
]

/** True where trying again later may help; everything else is a bug of ours. */
export function isDatabaseAway(error: unknown): boolean {
  const code = codeOf(error)
  if (code === null) return false
  if (AWAY_CODES.has(code)) return true
  if (!isSqlState(code)) return false
  // What ends a session, or keeps it from beginning, is never what a statement of ours says.
  const severity: unknown = Reflect.get(error as object, 'severity')
  return severity === 'FATAL' || severity === 'PANIC' || AWAY_STATES.some((state) => code.startsWith(state))
}

/** Did the statement give up waiting for a lock? Nothing of it was done. */
export function isLockTimeout(error: unknown): boolean {
  return codeOf(error) === LOCK_TIMEOUT
}

/** Did another session keep a transaction from a lock? Nothing of it was done. */
export function isLockRefused(error: unknown): boolean {
  return isLockTimeout(error) || codeOf(error) === DEADLOCK
}

/** What a log may hold of a database's error. Its message and detail are left out: they can hold row values. */
export type DatabaseErrorFields = {
  code: string
  severity?: string
  routine?: string
  constraint?: string
  table?: string
}

export function describeDatabaseError(error: unknown): DatabaseErrorFields {
  const fields: DatabaseErrorFields = { code: codeOf(error) ?? 'UNKNOWN' }
  if (typeof error !== 'object' || error === null) return fields
  const of = (key: string): string | undefined => {
    const value: unknown = Reflect.get(error, key)
    return typeof value === 'string' ? value : undefined
  }
  const severity = of('severity')
  const routine = of('routine')
  const constraint = of('constraint_name')
  const table = of('table_name')
  if (severity !== undefined) fields.severity = severity
  if (routine !== undefined) fields.routine = routine
  if (constraint !== undefined) fields.constraint = constraint
  if (table !== undefined) fields.table = table
  return fields
}

/**
 * The query's result, or a {@link DatabaseDeadline} after `ms` milliseconds, so that nothing waits on a paused
 * server or a dead host. The statement itself is not cancelled: PostgreSQL's cancel request names a session
 * and not a statement, so one that comes late would hit the next statement of somebody else, and in the wait
 * for a synchronous standby it would let a COMMIT through that no standby has. The server's
 * `statement_timeout` ends it, or the pool drops the connection when it has been silent for too long.
 */
export async function withDeadline<T>(query: PromiseLike<T>, ms: number): Promise<T> {
  const { promise, reject } = Promise.withResolvers<never>()
  const timer = setTimeout(
    () => reject(new DatabaseDeadline('The database did not answer in time')),
    Math.max(0, ms),
  )
  try {
    return await Promise.race([query, promise])
  } finally {
    clearTimeout(timer)
  }
}

function codeOf(error: unknown): string | null {
  if (typeof error !== 'object' || error === null) return null
  const code: unknown = Reflect.get(error, 'code')
  return typeof code === 'string' ? code : null
}

function isSqlState(code: string): boolean {
  return /^[0-9A-Z]{5}$/.test(code)
}
