import { randomBytes } from 'node:crypto'
import { mkdir, open, readdir, rename, rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { syncFolder } from '../sync-folder.ts'

const NAME = /^bellhop-(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z(?:\.incomplete)?\.tar\.zst$/
/** As archive-file.ts names what is not whole yet. */
const UNFINISHED = /^bellhop-\d{8}T\d{6}Z(?:\.incomplete)?\.tar\.zst\.[0-9a-f]{8}\.unfinished$/
/** Milliseconds without a byte written after which nobody writes it any more. */
const ABANDONED = 15 * 60_000

/** `complete`: with every attachment that a row names. */
export type KeptBackup = { file: string; at: Date; complete: boolean }

/**
 * The folder that scheduled backups are kept in. Each is named by the time when it was begun, and whether
 * attachments are missing from it; a file with another name is somebody else's, and is never touched.
 */
export class BackupFolder {
  readonly path: string

  /** @param path an absolute one */
  constructor(path: string) {
    this.path = path
  }

  /** Makes the folder, but not what it is in: a disk that is not mounted should be noticed. */
  async make(): Promise<void> {
    await mkdir(this.path, { mode: 0o700 }).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== 'EEXIST') throw error
    })
  }

  /** @throws where no file can be made in it */
  async probe(): Promise<void> {
    const file = join(this.path, `.probe-${randomBytes(4).toString('hex')}`)
    const handle = await open(file, 'wx', 0o600)
    await handle.close()
    await rm(file)
  }

  /**
   * Where a backup that begins now is to be written. It is not counted as complete before {@link complete} was told.
   * @param now epoch milliseconds
   */
  fileAt(now: number): string {
    return join(this.path, `${nameAt(now)}.incomplete.tar.zst`)
  }

  /** The backup that was begun then has every attachment. @param at epoch milliseconds */
  async complete(at: number): Promise<void> {
    await rename(this.fileAt(at), join(this.path, `${nameAt(at)}.tar.zst`))
    await syncFolder(this.path)
  }

  /** All of them, the newest first. */
  async #list(): Promise<KeptBackup[]> {
    const entries = await readdir(this.path, { withFileTypes: true })
    const names = entries.filter((entry) => entry.isFile()).map(({ name }) => name)
    return names
      .sort()
      .reverse()
      .flatMap((name) => {
        const at = timeOf(name)
        return at === null
          ? []
          : { file: join(this.path, name), at, complete: !name.includes('.incomplete.') }
      })
  }

  /**
   * The newest one, and the newest complete one, that are not from the future: a clock that was put back must not
   * keep backups from being made.
   * @param now epoch milliseconds
   */
  async newest(now: number): Promise<{ any: KeptBackup | null; complete: KeptBackup | null }> {
    const made = (await this.#list()).filter(({ at }) => at.getTime() <= now)
    return { any: made[0] ?? null, complete: made.find(({ complete }) => complete) ?? null }
  }

  /**
   * Removes all but the newest `keep` complete ones, and as many incomplete ones: whatever many of these there are,
   * they push out no complete one. What is from the future does not count, and stays.
   * @param now epoch milliseconds
   * @returns how many
   */
  async prune(keep: number, now: number): Promise<number> {
    const made = (await this.#list()).filter(({ at }) => at.getTime() <= now)
    const old = [true, false].flatMap((kind) => made.filter(({ complete }) => complete === kind).slice(keep))
    for (const { file } of old) await rm(file, { force: true })
    return old.length
  }

  /** What killed processes left. @param now epoch milliseconds */
  async abandoned(now: number): Promise<string[]> {
    const left: string[] = []
    for (const name of await readdir(this.path)) {
      const file = join(this.path, name)
      if (UNFINISHED.test(name) && (await isAbandoned(file, now))) left.push(file)
    }
    return left
  }

  /**
   * Removes what killed processes left. Only where no other process makes one: one that waits for the database
   * writes nothing for long.
   * @param now epoch milliseconds
   * @returns how many files
   */
  async sweep(now: number): Promise<number> {
    const left = await this.abandoned(now)
    for (const file of left) await rm(file, { force: true })
    return left.length
  }
}

function nameAt(at: number): string {
  return `bellhop-${new Date(at).toISOString().replace(/[-:]|\.\d+/g, '')}`
}

/** Null for what is no name of a backup, or of a day or an hour that there is not. */
function timeOf(name: string): Date | null {
  if (!NAME.test(name)) return null
  const at = new Date(name.replace(NAME, '$1-$2-$3T$4:$5:$6Z'))
  return !Number.isNaN(at.getTime()) && name.startsWith(`${nameAt(at.getTime())}.`) ? at : null
}

async function isAbandoned(file: string, now: number): Promise<boolean> {
  const found = await stat(file).catch(() => null)
  return found !== null && now - found.mtimeMs > ABANDONED
}
