import { randomBytes } from 'node:crypto'
import { link, lstat, open, realpath, rename, rm, stat } from 'node:fs/promises'
import { basename, dirname, join, resolve } from 'node:path'
import type { Writable } from 'node:stream'
import { OperatorError } from '../errors.ts'
import { syncFolder } from '../sync-folder.ts'

/**
 * Lets `write` fill a file that takes its name only when it is whole and on the disk; a failure leaves nothing.
 * @param options.force whether a file that is there may be replaced
 * @throws OperatorError where the file is there already, or cannot be made
 */
export async function fillFile<T>(
  path: string,
  options: { force: boolean },
  write: (output: Writable) => Promise<T>,
): Promise<T> {
  const there = await stat(path).catch(() => null)
  if (there !== null && !there.isFile()) throw new OperatorError('FILE: expected a file, or none yet')
  if (there !== null && !options.force) throw taken()
  const target = await ledTo(resolve(path))
  const folder = dirname(target)
  // Beside its place, since only there a rename is one step. Not hidden: one that a kill left should be seen.
  const temporary = join(folder, `${basename(target)}.${randomBytes(4).toString('hex')}.unfinished`)
  const handle = await open(temporary, 'wx', 0o600).catch((e: unknown) => Promise.reject(fileError(e) ?? e))
  try {
    const result = await write(handle.createWriteStream({ flush: true })).finally(() => handle.close())
    if (options.force) await rename(temporary, target)
    // A link fails where somebody has taken the name meanwhile.
    else
      await link(temporary, target).catch((error) =>
        Promise.reject(hasCode(error, 'EEXIST') ? taken() : error),
      )
    await syncFolder(folder)
    return result
  } catch (error) {
    throw fileError(error) ?? error
  } finally {
    await rm(temporary, { force: true })
  }
}

/**
 * Where a link leads, so that the link stays.
 * @throws OperatorError where it leads nowhere
 */
async function ledTo(path: string): Promise<string> {
  const led = await realpath(path).catch(() => null)
  if (led !== null) return led
  if ((await lstat(path).catch(() => null)) !== null)
    throw new OperatorError('FILE: a link that leads nowhere')
  return path
}

function taken(): OperatorError {
  return new OperatorError('FILE: it is there already; --force replaces it')
}

/**
 * What an operator can mend about a file, or about the attachments' folder, as a sentence; null for every other
 * error.
 */
export function fileError(error: unknown, of: 'FILE' | 'DATA_DIR' = 'FILE'): OperatorError | null {
  if (!(error instanceof Error) || !('code' in error) || !('syscall' in error)) return null
  // A socket's: the database's, which may be reached by one that is named like a file.
  if (error.syscall === 'connect') return null
  const sentence = SENTENCES[String(error.code)]
  return sentence === undefined ? null : new OperatorError(`${of}: ${sentence}`, { cause: error })
}

/** Waits for what is done in the attachments' folder, and says what an operator can mend there. */
export async function inDataDir<T>(work: Promise<T>): Promise<T> {
  try {
    return await work
  } catch (error) {
    throw fileError(error, 'DATA_DIR') ?? error
  }
}

const SENTENCES: Record<string, string> = {
  ENOENT: 'it, or the folder that it is in, is not there',
  ENOTDIR: 'it, or the folder that it is in, is not there',
  EACCES: 'this user may not open it',
  EPERM: 'this user may not open it',
  EROFS: 'it is on a disk that cannot be written',
  EISDIR: 'expected a file, it is a folder',
  ENXIO: 'expected a file',
  ENAMETOOLONG: 'its name is too long',
  ELOOP: 'a link that leads to itself',
  ENOSPC: 'no space is left on its disk',
  EDQUOT: 'no space is left on its disk for this user',
  EIO: 'its disk fails',
}

function hasCode(error: unknown, code: string): boolean {
  return error instanceof Error && 'code' in error && error.code === code
}
