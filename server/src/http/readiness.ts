import type { BlobFolder } from '../blobs/blob-folder.ts'
import type { Database } from '../database/pool.ts'
import type { Readiness } from './health.ts'

const DATABASE_MS = 2000
/** A ticket that could not be kept says more than a question: for so long nothing else is believed. */
const OUTAGE_MS = 2000

/**
 * Could a ticket be accepted now? The database is the primary and answers, bytes can be kept, and no ticket
 * was lately turned away for either.
 */
export function createReadiness(deps: {
  database: Database
  blobs: BlobFolder
  /** When a ticket could last not be kept, by `performance.now()`. */
  lastOutage: () => number
}): Readiness {
  let underway: Promise<string | null> | null = null
  // Many who ask at once cost the disk and the database one question.
  return () => {
    underway ??= ask().finally(() => {
      underway = null
    })
    return underway
  }

  async function ask(): Promise<string | null> {
    if (performance.now() - deps.lastOutage() < OUTAGE_MS) return 'A ticket could not be kept a moment ago.'
    try {
      const [row] = await deps.database.run(
        DATABASE_MS,
        (sql) => sql<{ readonly: boolean }[]>`SELECT pg_is_in_recovery() AS readonly`,
      )
      if (row?.readonly !== false) return 'The database takes no writes.'
    } catch {
      return 'The database is away.'
    }
    try {
      await deps.blobs.probe()
    } catch {
      return 'Attachments cannot be stored.'
    }
    return null
  }
}
