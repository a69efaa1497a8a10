import type { Environment } from '../config.ts'
import { findEmbedded, startEmbedded } from '../database/embedded/embedded.ts'
import type { DatabaseEndpoint } from '../database/pool.ts'
import type { Log } from '../log.ts'

/**
 * Does one thing on the database that the environment names: DATABASE_URL, else the running server's embedded
 * one, else the embedded one started for as long as this takes.
 * @param command how this process names itself to another that wants the same embedded database
 */
export async function withEndpoint<T>(
  environment: Environment,
  command: string,
  log: Log,
  work: (endpoint: DatabaseEndpoint) => Promise<T>,
): Promise<T> {
  if (environment.databaseUrl !== null) return work({ kind: 'url', url: environment.databaseUrl })
  const running = await findEmbedded(environment.dataDir)
  if (running !== null) return work(running)
  const embedded = await startEmbedded({ dataDir: environment.dataDir, command, log })
  try {
    return await work(embedded.endpoint)
  } finally {
    await embedded.stop()
  }
}
