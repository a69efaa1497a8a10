import { namesBlobs, readInstallation } from '../blobs/blob.store.ts'
import type { BlobFolder } from '../blobs/blob-folder.ts'
import { type Migration, newest, schemaVersion } from '../database/migrations.ts'
import type { Executor } from '../database/pool.ts'
import { OperatorError } from '../errors.ts'
import { VERSION } from '../version.ts'
import { FORMAT, type Head } from './archive.ts'
import { inDataDir } from './archive-file.ts'
import { describeTables } from './schema.store.ts'

/**
 * @returns the version of the schema
 * @throws OperatorError where the database, or the blobs folder, is not one to copy
 */
export async function checkSource(
  sql: Executor,
  migrations: Migration[],
  blobs: BlobFolder,
): Promise<number> {
  const known = newest(migrations)
  const version = await schemaVersion(sql)
  if (version === 0) throw new OperatorError('The database is empty: there is nothing to back up')
  if (version > known) {
    throw new OperatorError(
      `The database is at version ${version} and this program knows versions up to ${known}: ` +
        'back it up with the Bellhop that made it, or a newer one',
    )
  }
  const owner = await inDataDir(blobs.owner())
  if (owner !== null && owner !== (await readInstallation(sql))) {
    throw new OperatorError('DATA_DIR: its blobs folder is of another installation than the database')
  }
  // Every attachment would be missing.
  if (owner === null && (await namesBlobs(sql))) throw unowned()
  return version
}

/**
 * Attachments were missing: is the folder still there?
 * @throws OperatorError where it is not, or is not the installation's
 */
export async function checkFolder(blobs: BlobFolder, installation: string): Promise<void> {
  if ((await inDataDir(blobs.owner())) !== installation) throw unowned()
}

function unowned(): OperatorError {
  return new OperatorError(
    'DATA_DIR: its blobs folder is not there, or no worker has started on it yet, and the database names attachments',
  )
}

/** What the archive begins with, as of the snapshot. */
export async function describeSource(snapshot: Executor, version: number, own: string[]): Promise<Head> {
  const [row] = await snapshot<{ now: string; server: string }[]>`
    SELECT to_char(now() AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"') AS now,
      current_setting('server_version') AS server`
  if (row === undefined) throw new Error('the server gave no time')
  return {
    format: 'bellhop-archive',
    format_version: FORMAT,
    bellhop: VERSION,
    schema_version: version,
    postgresql: row.server,
    installation_id: await readInstallation(snapshot),
    taken_at: row.now,
    tables: await describeTables(snapshot, own),
  }
}
