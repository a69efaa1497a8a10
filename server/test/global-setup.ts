import type { TestProject } from 'vitest/node'
import type { DatabaseEndpoint } from '../src/database/pool.ts'
import { startTestServer } from './database/test-database.ts'

declare module 'vitest' {
  export interface ProvidedContext {
    /** The server that all test files share; each makes databases of its own on it. */
    databaseServer: DatabaseEndpoint
  }
}

/** One PostgreSQL for the whole run, without fsync: tests of durability start their own. */
export default async function setUp(project: TestProject): Promise<() => Promise<void>> {
  const server = await startTestServer({ fast: true })
  project.provide('databaseServer', server.endpoint)
  return () => server.stop()
}
