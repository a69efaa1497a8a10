import { mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { BlobFolder } from '../../src/blobs/blob-folder.ts'
import { type DatabaseEndpoint, openDatabase, type Sql } from '../../src/database/pool.ts'
import { newUuid } from '../../src/ids.ts'
import { createTestDatabase, type TestDatabase } from '../database/test-database.ts'

type Place = { endpoint: DatabaseEndpoint; blobs: BlobFolder; file: string }

/** An installation that is backed up, and a place to restore it. */
export type BackupScene = {
  source: TestDatabase
  /** Without a single table. */
  target: TestDatabase
  /** Where all files of the test are. */
  folder: string
  /** The attachments of the source. */
  blobs: BlobFolder
  /** The archive, which is not there yet. */
  file: string
  /** Another folder for attachments. */
  elsewhere(name?: string): BlobFolder
  from(): Place
  into(endpoint?: DatabaseEndpoint): Place
  /** What is in a folder for attachments, by name. */
  filesIn(name: string): Promise<string[]>
  stop(): Promise<void>
}

export async function setBackupScene(): Promise<BackupScene> {
  const source = await createTestDatabase()
  const target = await createTestDatabase({ migrated: false })
  const folder = await mkdtemp(join(tmpdir(), 'bellhop-test-'))
  const blobs = new BlobFolder(join(folder, 'blobs'))
  const file = join(folder, 'bellhop.tar.zst')
  const elsewhere = (name = 'restored') => new BlobFolder(join(folder, name))
  // The test databases are copies of one.
  await source.sql`UPDATE installation SET id = ${newUuid()}`
  return {
    source,
    target,
    folder,
    blobs,
    file,
    elsewhere,
    from: () => ({ endpoint: source.endpoint, blobs, file }),
    into: (endpoint = target.endpoint) => ({ endpoint, blobs: elsewhere(), file }),
    async filesIn(name) {
      const files = await readdir(join(folder, name), { recursive: true, withFileTypes: true })
      return files
        .filter((entry) => entry.isFile() && entry.name !== 'installation')
        .map((entry) => entry.name)
        .sort()
    },
    async stop() {
      await source.stop()
      await target.stop()
      await rm(folder, { recursive: true })
    },
  }
}

export async function onDatabase<T>(endpoint: DatabaseEndpoint, work: (sql: Sql) => Promise<T>): Promise<T> {
  const database = openDatabase(endpoint, { max: 1, applicationName: 'vitest' })
  return work(database.sql).finally(() => database.close())
}

export async function installationOf(sql: Sql): Promise<string> {
  const [row] = await sql<{ id: string }[]>`SELECT id FROM installation`
  return row?.id ?? ''
}
