import { type DatabaseEndpoint, openDatabase } from '../database/pool.ts'

/** "bellback" in ASCII: the advisory lock of whoever makes a scheduled backup. */
const BACKUP_LOCK = '7090192401127531371'

/**
 * Does `work` where no other process on this database is at the same: the lock is the session's, and goes with it
 * however it ends.
 * @returns false where another one is, and nothing was done
 */
export async function whileAlone(endpoint: DatabaseEndpoint, work: () => Promise<void>): Promise<boolean> {
  const database = openDatabase(endpoint, { max: 1, applicationName: 'bellhop backup schedule' })
  try {
    // The driver renews connections after an hour, but not one that is reserved; and it reserves only one that is
    // open already.
    await database.sql`SELECT`
    const session = await database.sql.reserve()
    try {
      const [lock] = await session<{ taken: boolean }[]>`
        SELECT pg_try_advisory_lock(${BACKUP_LOCK}::bigint) AS taken`
      if (lock?.taken !== true) return false
      await work()
      return true
    } finally {
      session.release()
    }
  } finally {
    await database.close()
  }
}
