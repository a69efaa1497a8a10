import { chmod, cp, lstat, mkdir, mkdtemp, readdir, rename, rm } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { OperatorError } from '../../errors.ts'

/**
 * Copies the binaries to a folder of root's that everyone can read, once per version. The copy gets its name
 * when it is whole, so that of two starts at once each finds a whole one.
 * @returns the folder to run them from: the copy, or `from` itself where the system lets nothing be written
 * @throws OperatorError where the folder is somebody else's or can be written to by others
 */
export async function copyOnce(from: string, to: string): Promise<string> {
  const parent = dirname(to)
  try {
    await mkdir(parent, { recursive: true, mode: 0o755 })
  } catch (error) {
    if (isReadOnly(error)) return from
    throw error
  }
  await requireRoots(parent)
  if (await isWhole(from, to)) {
    await requireRoots(to)
    return to
  }
  const draft = await mkdtemp(`${to}.new-`)
  try {
    await cp(from, draft, { recursive: true, verbatimSymlinks: true })
    await openToAll(draft)
    // A copy that is not whole: a disk that was full or a power failure after the rename.
    await rename(to, `${draft}.old`).catch(() => {})
    await rename(draft, to).catch(async (error: unknown) => {
      if (!(await isWhole(from, to))) throw error
    })
  } finally {
    await rm(draft, { recursive: true, force: true })
    await rm(`${draft}.old`, { recursive: true, force: true })
  }
  await requireRoots(to)
  return to
}

async function requireRoots(folder: string): Promise<void> {
  const { uid, mode } = await lstat(folder)
  if (uid === 0 && (mode & 0o022) === 0) return
  throw new OperatorError(
    `${folder}: expected a folder that belongs to root and that nobody else can write to; remove it or mend it`,
  )
}

/** True where every file is there in its full size. */
async function isWhole(from: string, to: string): Promise<boolean> {
  try {
    for (const entry of await readdir(from, { withFileTypes: true })) {
      const [source, copy] = [join(from, entry.name), join(to, entry.name)]
      if (entry.isDirectory()) {
        if (!(await isWhole(source, copy))) return false
      } else if ((await lstat(source)).size !== (await lstat(copy)).size) {
        return false
      }
    }
    return true
  } catch {
    return false
  }
}

/** Readable by everyone, whatever the umask and the modes that npm gave. */
async function openToAll(folder: string): Promise<void> {
  await chmod(folder, 0o755)
  for (const entry of await readdir(folder, { withFileTypes: true })) {
    const path = join(folder, entry.name)
    if (entry.isDirectory()) await openToAll(path)
    else if (entry.isFile()) await chmod(path, ((await lstat(path)).mode & 0o100) === 0 ? 0o644 : 0o755)
  }
}

function isReadOnly(error: unknown): boolean {
  return error instanceof Error && 'code' in error && (error.code === 'EROFS' || error.code === 'EACCES')
}
