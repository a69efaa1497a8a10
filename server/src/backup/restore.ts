import type { Readable } from 'node:stream'
import type { BlobFolder } from '../blobs/blob-folder.ts'
import { type Migration, migrateWithin, newest, readMigrations } from '../database/migrations.ts'
import { type DatabaseEndpoint, type Executor, openDatabase } from '../database/pool.ts'
import { heldSince, holdDeliveries } from '../deliveries/hold.ts'
import { OperatorError } from '../errors.ts'
import { damaged, type Head, type Manifest, type TableHead } from './archive.ts'
import { inDataDir } from './archive-file.ts'
import { readArchive } from './archive-reader.ts'
import { PATIENT } from './backup.ts'
import { ownTables } from './own-objects.ts'
import type { Progress } from './progress.ts'
import {
  analyze,
  countRowsOf,
  countUndelivered,
  emptyTables,
  giveBackLeased,
  giveBackMailboxes,
  giveBackMails,
  giveTime,
} from './restored.store.ts'
import { RestoredBlobs } from './restored-blobs.ts'
import { describeTables, letItTake, listTables } from './schema.store.ts'
import { TableIntake } from './table-intake.ts'
import { clearTarget } from './target.ts'

export type RestoreDeps = {
  endpoint: DatabaseEndpoint
  blobs: BlobFolder
  source: Readable
  /** The folder of the program's migrations. */
  migrations: string
  /** Whether nothing is to be carried until the operator says so. */
  hold: boolean
  /**
   * Whether the blobs folder may be the archive's installation's own already, whose database is lost. Where that
   * one still runs, the two would take away each other's files.
   */
  sameAttachments: boolean
  progress: Progress
  signal: AbortSignal
}

export type Restored = {
  manifest: Manifest
  /** Deliveries that were under way when the backup was made. */
  uncertain: number
  /** Deliveries that are still to be carried, those among them. */
  undelivered: number
  /** Whether delivery is on hold: as it was when the backup was made, or because it was asked for. */
  held: boolean
}

/**
 * Brings an archive into an empty database: in one transaction the tables of the archive's version are made
 * and filled, held against the manifest, and migrated on to this program's version. Until its COMMIT there is
 * nothing, whatever ends it. The blobs are on the disk before that; those of a restore that was killed are
 * files that nothing names, and the next restore finds them.
 * @throws OperatorError where the archive is damaged or newer, or the database is not empty
 */
export async function restore(deps: RestoreDeps): Promise<Restored> {
  const { endpoint, signal } = deps
  const migrations = await readMigrations(deps.migrations)
  const database = openDatabase(endpoint, {
    max: 1,
    applicationName: 'bellhop restore',
    statementTimeout: PATIENT,
  })
  const written = new RestoredBlobs(deps.blobs)
  let committing = false
  const end = () => void database.close()
  signal.addEventListener('abort', end)
  try {
    signal.throwIfAborted()
    const restored = await database.sql.begin(async (transaction) => {
      const filled = await fill(transaction, migrations, written, deps)
      // Nobody's from before the COMMIT until after it: a folder that bears an id other than its database's is
      // swept and backed up by none. Nobody's is its database's as soon as a worker starts.
      await inDataDir(deps.blobs.disown())
      committing = true
      return filled
    })
    await deps.blobs.belongsTo(restored.manifest.installation_id).catch(() => false)
    return restored
  } catch (error) {
    // A COMMIT whose answer was lost may have come about, and its rows name the blobs.
    if (!committing) await written.undo()
    throw error
  } finally {
    signal.removeEventListener('abort', end)
    await database.close()
  }
}

async function fill(
  transaction: Executor,
  migrations: Migration[],
  written: RestoredBlobs,
  deps: RestoreDeps,
): Promise<Restored> {
  await letItTake(transaction)
  const manifest = await bringIn(transaction, migrations, written, deps)
  for (const { name, rows } of manifest.tables) {
    if ((await countRowsOf(transaction, name)) !== rows) throw damaged(`${name} did not get all its rows`)
  }
  await written.settle()
  await migrateWithin(transaction, migrations, newest(migrations))
  const uncertain = await giveBackLeased(transaction)
  await giveBackMails(transaction)
  await giveBackMailboxes(transaction)
  await giveTime(transaction)
  if (deps.hold) await holdDeliveries(transaction)
  // The planner knows nothing of so many new rows, and a worker asks at once.
  await analyze(transaction, await listTables(transaction, await ownTables(migrations)))
  deps.signal.throwIfAborted()
  const held = (await heldSince(transaction)) !== null
  return { manifest, uncertain, undelivered: await countUndelivered(transaction), held }
}

async function bringIn(
  transaction: Executor,
  migrations: Migration[],
  written: RestoredBlobs,
  deps: RestoreDeps,
): Promise<Manifest> {
  const { source, progress, signal } = deps
  const intake = new TableIntake(transaction)
  try {
    const manifest = await readArchive(
      source,
      {
        head: (head) => makeReady(transaction, migrations, head, deps),
        part: (table, body) => intake.add(table, body),
        async blob(sha256, bytes) {
          await intake.end()
          await written.put(sha256, bytes)
        },
      },
      { onBytes: progress.add, signal },
    )
    await intake.end()
    return manifest
  } catch (error) {
    intake.abort()
    throw error
  }
}

/** The tables as they were when the archive was made, without a row. */
async function makeReady(
  transaction: Executor,
  migrations: Migration[],
  head: Head,
  deps: RestoreDeps,
): Promise<void> {
  if (head.schema_version > newest(migrations)) {
    throw new OperatorError(
      `The archive is of a database at version ${head.schema_version} and this program knows versions up to ` +
        `${newest(migrations)}: restore it with the Bellhop that made it, or a newer one`,
    )
  }
  const former = await clearTarget(transaction, migrations)
  await checkFolder(deps, former, head.installation_id)
  await migrateWithin(transaction, migrations, head.schema_version)
  const tables = await describeTables(transaction, await ownTables(migrations))
  if (shapeOf(tables) !== shapeOf(head.tables)) {
    throw new OperatorError(
      'The archive’s tables are not those of its version: was the schema changed by hand?',
    )
  }
  await emptyTables(transaction, tables.map(({ name }) => name).reverse())
}

/** The same whatever the order of tables and columns. */
function shapeOf(tables: TableHead[]): string {
  return JSON.stringify(tables.map(({ name, columns }) => [name, [...columns].sort()].flat().join()).sort())
}

/** @param former the id of the database that is restored into */
async function checkFolder(
  { blobs, sameAttachments }: RestoreDeps,
  former: string | null,
  installation: string,
): Promise<void> {
  const owner = await inDataDir(blobs.owner())
  if (owner === null || owner === former) return
  if (owner !== installation) {
    throw new OperatorError('DATA_DIR: its blobs folder is of another installation: use another DATA_DIR')
  }
  if (!sameAttachments) {
    throw new OperatorError(
      'DATA_DIR: its blobs folder is that of the installation that was backed up: use another DATA_DIR, or, ' +
        'where its database is lost and nothing runs on it any more, --same-attachments',
    )
  }
}
