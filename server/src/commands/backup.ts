import { open } from 'node:fs/promises'
import { join } from 'node:path'
import type { Readable } from 'node:stream'
import type { Manifest } from '../backup/archive.ts'
import { fileError } from '../backup/archive-file.ts'
import { readArchive } from '../backup/archive-reader.ts'
import { backUp } from '../backup/backup.ts'
import { writeBackup } from '../backup/write-backup.ts'
import { BlobFolder } from '../blobs/blob-folder.ts'
import { readEnvironment } from '../config.ts'
import { MIGRATIONS } from '../database/migrations.ts'
import { OperatorError } from '../errors.ts'
import { createLog } from '../log.ts'
import { withEndpoint } from './endpoint.ts'
import { untilInterrupted } from './interruption.ts'
import { createProgressBar, size } from './progress-bar.ts'
import { wholeOnStdout } from './whole-on-stdout.ts'

export type BackupOptions = { verify?: boolean; force?: boolean }

/**
 * `bellhop backup FILE`: copies the database and the attachments into one archive; `-` is stdout.
 * `bellhop backup --verify FILE`: reads an archive and says whether it is whole.
 * @throws OperatorError where it is not, or not everything could be copied
 */
export async function backupCommand(
  file: string,
  options: BackupOptions,
  out: NodeJS.WriteStream,
  terminal: NodeJS.WriteStream,
): Promise<void> {
  if (options.verify === true) return await verifyCommand(file, out, terminal)
  const environment = readEnvironment(process.env)
  const log = createLog({ level: 'silent', pretty: false })
  const blobs = new BlobFolder(join(environment.dataDir, 'blobs'))
  const bar = createProgressBar(terminal)
  const force = options.force === true
  const { manifest, bytes } = await untilInterrupted((signal) =>
    withEndpoint(environment, 'bellhop backup', log, (endpoint) => {
      const what = { endpoint, blobs, migrations: MIGRATIONS, progress: bar, signal }
      if (file === '-') return wholeOnStdout(out, () => backUp({ ...what, output: out }))
      return writeBackup({ ...what, file, force })
    }),
  ).finally(bar.clear)
  const said = file === '-' ? terminal : out
  said.write(`Backed up ${describe(manifest)}: ${size(bytes)}.\n`)
  refuseMissing(manifest)
}

/** What is in an archive, and of when. */
export function describe({ taken_at, tables, blobs }: Manifest): string {
  const rows = tables.reduce((sum, table) => sum + table.rows, 0)
  const tickets = tables.find(({ name }) => name === 'tickets')?.rows ?? 0
  const files = `${blobs.count} attachment${blobs.count === 1 ? '' : 's'} (${size(blobs.bytes)})`
  return `as of ${taken_at}, ${tickets} ticket${tickets === 1 ? '' : 's'}, ${rows} rows in all, ${files}`
}

async function verifyCommand(
  file: string,
  out: NodeJS.WritableStream,
  terminal: NodeJS.WriteStream,
): Promise<void> {
  const bar = createProgressBar(terminal)
  const manifest = await untilInterrupted((signal) =>
    openArchive(file, bar.begin, (source) =>
      readArchive(
        source,
        { head: async () => {}, part: async () => {}, blob: async () => {} },
        { onBytes: bar.add, signal },
      ),
    ),
  ).finally(bar.clear)
  out.write(`The archive is whole: ${describe(manifest)}.\n`)
  refuseMissing(manifest)
}

/** Opens an archive for reading, and says what an operator can mend about the file, and of nothing else. */
export async function openArchive<T>(
  file: string,
  begin: (what: 'archive', bytes: number) => void,
  read: (source: Readable) => Promise<T>,
): Promise<T> {
  const handle = await open(file).catch((error: unknown) => Promise.reject(fileError(error) ?? error))
  const source = handle.createReadStream({ highWaterMark: 1024 * 1024 })
  let failure: unknown = null
  source.on('error', (error) => {
    failure = error
  })
  try {
    begin('archive', (await handle.stat()).size)
    return await read(source)
  } catch (error) {
    throw (error === failure ? fileError(error) : null) ?? error
  } finally {
    source.destroy()
  }
}

/** All the rest is in the archive, so it is kept; but the operator must know. */
export function refuseMissing({ blobs: { missing } }: Manifest): void {
  if (missing.length === 0) return
  const shown = missing
    .slice(0, 20)
    .map((name) => `\n  ${name}`)
    .join('')
  throw new OperatorError(
    `${missing.length} of the attachments were missing or damaged when the archive was made, and are not in it; ` +
      `everything else is. Their SHA-256:${shown}${missing.length > 20 ? '\n  …' : ''}`,
  )
}
