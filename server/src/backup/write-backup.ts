import type { BlobFolder } from '../blobs/blob-folder.ts'
import type { DatabaseEndpoint } from '../database/pool.ts'
import type { Manifest } from './archive.ts'
import { fillFile } from './archive-file.ts'
import { backUp } from './backup.ts'
import { noProgress, type Progress } from './progress.ts'

export type Backup = {
  manifest: Manifest
  /** Of the file. */
  bytes: number
}

/**
 * Backs up into a file, which takes its name when it is whole and on the disk. Whoever calls looks at
 * `manifest.blobs.missing`: attachments that could not be read.
 * @throws OperatorError where the file, the database or the blobs folder is at fault; an AbortError where
 *   `signal` was aborted
 */
export async function writeBackup(options: {
  endpoint: DatabaseEndpoint
  blobs: BlobFolder
  file: string
  /** The folder of the program's migrations. */
  migrations: string
  signal: AbortSignal
  /** Whether a file that is there is replaced; false unless told. */
  force?: boolean
  progress?: Progress
}): Promise<Backup> {
  const { endpoint, blobs, migrations, signal, progress = noProgress } = options
  return fillFile(options.file, { force: options.force === true }, (output) =>
    backUp({ endpoint, blobs, output, migrations, progress, signal }),
  )
}
