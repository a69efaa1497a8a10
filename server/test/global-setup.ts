import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { TestProject } from 'vitest/node'
import type { DatabaseEndpoint } from '../src/database/pool.ts'
import { startTestServer } from './database/test-database.ts'

declare module 'vitest' {
  export interface ProvidedContext {
    /** The server that all test files share; each makes databases of its own on it. */
    databaseServer: DatabaseEndpoint
    /** The folder for the DATA_DIR that they copy. */
    usedDataDirs: string
  }
}

/** One PostgreSQL for the whole run, without fsync: tests of durability start their own. */
export default async function setUp(project: TestProject): Promise<() => Promise<void>> {
  const server = await startTestServer({ fast: true })
  const used = await mkdtemp(join(tmpdir(), 'bellhop-used-'))
  project.provide('databaseServer', server.endpoint)
  project.provide('usedDataDirs', used)
  return async () => {
    await server.stop()
    await rm(used, { recursive: true, force: true })
  }
}
