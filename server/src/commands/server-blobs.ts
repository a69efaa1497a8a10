import { stat } from 'node:fs/promises'
import { join } from 'node:path'
import { readInstallation } from '../blobs/blob.store.ts'
import { BlobFolder } from '../blobs/blob-folder.ts'
import type { Environment } from '../config.ts'
import type { Sql } from '../database/pool.ts'
import { OperatorError } from '../errors.ts'

/**
 * The folder of the server's blobs, for a command that keeps bytes beside it. What is written elsewhere would be found
 * by nobody, and what root writes beside an ordinary user's files that user cannot read.
 * @throws OperatorError
 */
export async function openServerBlobs({ dataDir }: Environment, sql: Sql): Promise<BlobFolder> {
  const root = join(dataDir, 'blobs')
  const blobs = new BlobFolder(root)
  if ((await blobs.owner()) !== (await readInstallation(sql))) {
    throw new OperatorError('DATA_DIR: expected that of the server, whose attachments are in it')
  }
  const { uid } = await stat(join(root, 'installation'))
  if (process.getuid?.() === 0 && uid !== 0)
    throw new OperatorError('Run it as the user that the server runs as, who has to read what is written')
  return blobs
}
