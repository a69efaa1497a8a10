import { createHash } from 'node:crypto'
import type { Writable } from 'node:stream'
import { BlobDamaged } from '../blobs/blob-damaged.ts'
import type { BlobFolder } from '../blobs/blob-folder.ts'
import { readMigrations } from '../database/migrations.ts'
import { type DatabaseEndpoint, type Executor, openDatabase } from '../database/pool.ts'
import { OperatorError } from '../errors.ts'
import { HEAD, MANIFEST, type Manifest, type TableHead, toJson } from './archive.ts'
import { fileError } from './archive-file.ts'
import { type ArchiveWriter, writeArchive } from './archive-writer.ts'
import { BlobNames } from './blob-names.ts'
import { hashesIn, quoted } from './copy-text.ts'
import { ownTables } from './own-objects.ts'
import type { Progress } from './progress.ts'
import { copyOut, estimate, letItTake, listTables } from './schema.store.ts'
import { checkFolder, checkSource, describeSource } from './source.ts'
import { copyTable, type TableEntry } from './table-copy.ts'

/** A statement may take as long as whoever reads the archive does, in milliseconds: seven days. */
export const PATIENT = 7 * 24 * 60 * 60 * 1000

export type BackupDeps = {
  endpoint: DatabaseEndpoint
  blobs: BlobFolder
  output: Writable
  /** The folder of the program's migrations. */
  migrations: string
  progress: Progress
  signal: AbortSignal
}

/**
 * Writes an archive of one moment: all tables in one snapshot, then every blob that they name. The snapshot is
 * held while the tables are read and no longer.
 *
 * A blob that is missing, or has other bytes than its name says, does not end the backup, since all the rest
 * would then have no copy either: the manifest names it, and so must the caller. Anything else that keeps one
 * from being read ends it: another try may read it.
 * @throws OperatorError where the database or the folder is not one that can be copied
 */
export async function backUp(deps: BackupDeps): Promise<{ manifest: Manifest; bytes: number }> {
  const { endpoint, signal } = deps
  const database = openDatabase(endpoint, {
    max: 1,
    applicationName: 'bellhop backup',
    statementTimeout: PATIENT,
  })
  let archive: ArchiveWriter | null = null
  // A stream of rows that is left in the middle holds its session up until the session is ended.
  const end = () => void database.close()
  signal.addEventListener('abort', end)
  let failure: unknown = null
  try {
    signal.throwIfAborted()
    const migrations = await readMigrations(deps.migrations)
    const version = await checkSource(database.sql, migrations, deps.blobs)
    const own = await ownTables(migrations)
    const names = await listTables(database.sql, own)
    const { head, tables, blobs } = await database.sql.begin(
      'isolation level repeatable read read only',
      async (snapshot) => {
        // Before the first query, which takes the snapshot: so the tables are as they are when they are read.
        await snapshot.unsafe(`LOCK TABLE ${names.map(quoted).join(', ')} IN ACCESS SHARE MODE`)
        await letItTake(snapshot)
        const head = await describeSource(snapshot, version, own)
        if (
          head.tables
            .map(({ name }) => name)
            .sort()
            .join() !== [...names].sort().join()
        ) {
          throw new OperatorError('The tables were changed meanwhile: try again')
        }
        const writer = writeArchive(deps.output, Date.parse(head.taken_at) / 1000, signal)
        archive = writer
        const blobs = new BlobNames()
        try {
          await writer.add(HEAD, toJson(head))
          const tables = await copyTables(snapshot, writer, head.tables, blobs, deps.progress)
          return { head, tables, blobs }
        } catch (error) {
          failure = error
          end()
          throw error
        }
      },
    )
    if (archive === null) throw new Error('there is no archive')
    const writer: ArchiveWriter = archive
    const manifest: Manifest = {
      ...head,
      tables,
      blobs: await copyBlobs(writer, blobs, deps),
    }
    if (manifest.blobs.missing.length > 0) await checkFolder(deps.blobs, head.installation_id)
    await writer.add(MANIFEST, toJson(manifest))
    return { manifest, bytes: await writer.end() }
  } catch (error) {
    await (archive as ArchiveWriter | null)?.abort()
    // The session's own end covers up why it was ended.
    throw failure ?? error
  } finally {
    signal.removeEventListener('abort', end)
    await database.close()
  }
}

async function copyTables(
  snapshot: Executor,
  archive: ArchiveWriter,
  tables: TableHead[],
  blobs: BlobNames,
  progress: Progress,
): Promise<TableEntry[]> {
  const expected = await estimate(
    snapshot,
    tables.map(({ name }) => name),
  )
  progress.begin('rows', expected.rows)
  const entries: TableEntry[] = []
  for (const table of tables) {
    const rows = await snapshot.unsafe(copyOut(table, tables)).readable()
    entries.push(
      await copyTable(rows, table, archive, (part, count) => {
        progress.add(count)
        if (table.name === 'blobs') noteBlobs(part, table, blobs)
      }),
    )
  }
  progress.begin('attachments', expected.blobBytes)
  return entries
}

function noteBlobs(part: Buffer, table: TableHead, blobs: BlobNames): void {
  for (const name of hashesIn(part, table.columns.indexOf('sha256'))) {
    if (name === null || !blobs.add(name)) throw new Error('the blobs did not come in their order')
  }
}

async function copyBlobs(
  archive: ArchiveWriter,
  names: BlobNames,
  { blobs, progress, signal }: BackupDeps,
): Promise<Manifest['blobs']> {
  const all = createHash('sha256')
  const copied = { count: 0, bytes: 0, missing: [] as string[] }
  for (let index = 0; index < names.count; index++) {
    signal.throwIfAborted()
    const name = names.at(index)
    const bytes = await readBlob(blobs, name)
    if (bytes === null) {
      copied.missing.push(name)
      continue
    }
    await archive.add(`blobs/${name}`, bytes)
    all.update(Buffer.from(name, 'hex'))
    copied.count++
    copied.bytes += bytes.length
    progress.add(bytes.length)
  }
  return { ...copied, sha256: all.digest('hex') }
}

/**
 * Null for one that is missing or damaged, which another try would not find either.
 * @throws whatever else keeps it from being read
 */
async function readBlob(blobs: BlobFolder, name: string): Promise<Buffer | null> {
  try {
    return await blobs.read(name)
  } catch (error) {
    if (isLost(error)) return null
    throw fileError(error, 'DATA_DIR') ?? error
  }
}

/** EIO: a sector of the disk has gone. */
function isLost(error: unknown): boolean {
  if (error instanceof BlobDamaged) return true
  return error instanceof Error && 'code' in error && (error.code === 'ENOENT' || error.code === 'EIO')
}
