import type { BlobFolder } from '../blobs/blob-folder.ts'
import type { Executor } from '../database/pool.ts'
import { type ReferredBlob, referredAfter } from './blob-pages.store.ts'
import type { Finding } from './invariant.ts'

const PAGE = 1000
const EXAMPLES = 3

export type BlobProgress = { files: number; bytes: number }

/**
 * Reads the file of every blob that an attachment or a mail refers to, in pieces. A file is there before its row is, and
 * stays as long as something refers to it, so it needs no snapshot that would hold up the database's upkeep.
 * @param progress called after each file
 */
export async function examineBlobs(
  sql: Executor,
  folder: BlobFolder,
  progress: (done: BlobProgress) => void,
): Promise<Finding & BlobProgress> {
  const examples: string[] = []
  let broken = 0
  const done = { files: 0, bytes: 0 }
  for (let after = ''; ; ) {
    const page = await referredAfter(sql, after, PAGE)
    for (const blob of page) {
      if (!(await isWhole(folder, blob))) {
        broken++
        if (examples.length < EXAMPLES) examples.push(blob.sha256)
      }
      done.files++
      done.bytes += blob.size
      progress(done)
    }
    const last = page.at(-1)
    if (last === undefined || page.length < PAGE) break
    after = last.sha256
  }
  return { claim: 'every blob’s file is there, with its size and its SHA-256', broken, examples, ...done }
}

async function isWhole(folder: BlobFolder, { sha256, size }: ReferredBlob): Promise<boolean> {
  // One that cannot be read is as good as one that is not there, and the others are still to be read.
  const found = await folder.measure(sha256).catch(() => null)
  return found !== null && found.size === size && found.sha256 === sha256
}
