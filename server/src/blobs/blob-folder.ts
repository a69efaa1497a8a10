import { hash, randomUUID } from 'node:crypto'
import {
  type FileHandle,
  link,
  mkdir,
  open,
  readdir,
  readFile,
  rename,
  rm,
  stat,
  utimes,
} from 'node:fs/promises'
import { dirname, join } from 'node:path'
import type { Readable } from 'node:stream'
import { syncFolder } from '../sync-folder.ts'
import { BlobDamaged } from './blob-damaged.ts'
import { measureFile, measureOpenFile } from './measure-file.ts'

/** Files younger than this are never swept: the ticket that refers to one may be on its way. */
const SWEEP_AGE_MS = 24 * 60 * 60 * 1000
const SHA256_HEX = /^[0-9a-f]{64}$/

/**
 * Blobs in a folder, each in a file named by its SHA-256 in hexadecimal; several processes and hosts may
 * share the folder. The file name that a customer gave is never part of a path.
 */
export class BlobFolder {
  readonly #root: string
  readonly #now: () => number

  constructor(root: string, now: () => number = Date.now) {
    this.#root = root
    this.#now = now
  }

  /**
   * Keeps the bytes so that they survive a crash: a temporary file is written, fsynced and renamed, and the
   * folder fsynced. Bytes that are there are only touched, which spares them from a sweep.
   * @param sha256 of the bytes, in lower-case hexadecimal
   * @returns whether a file was written
   */
  async put(sha256: string, bytes: Buffer): Promise<boolean> {
    const path = this.#path(sha256)
    if (await this.#touch(path, bytes.length)) return false
    await this.#write(bytes, (temporary) => moveTo(temporary, path))
    await syncFolder(dirname(path))
    return true
  }

  /** Removes a file that nothing refers to. One that is not there is no error. */
  async remove(sha256: string): Promise<void> {
    await rm(this.#path(sha256), { force: true })
  }

  /**
   * The bytes, which are those of the name.
   * @throws BlobDamaged where they are not; Error of the file system for a file that is not there, or not readable
   */
  async read(sha256: string): Promise<Buffer> {
    const bytes = await this.#look(sha256, (path) => readFile(path))
    if (hash('sha256', bytes) !== sha256) throw new BlobDamaged('a blob does not have the bytes of its name')
    return bytes
  }

  /**
   * The same bytes as a stream, which whoever asked reads to its end or destroys: they are read twice, so that not one
   * of a damaged file is given, and never held whole.
   * @throws as {@link read} does
   */
  async stream(sha256: string): Promise<Readable> {
    const file = await this.#look(sha256, (path) => open(path, 'r'))
    try {
      if ((await measureOpenFile(file)).sha256 !== sha256) {
        throw new BlobDamaged('a blob does not have the bytes of its name')
      }
      return file.createReadStream({ start: 0 })
    } catch (error) {
      await file.close()
      throw error
    }
  }

  /**
   * Size and SHA-256 of what lies under this name, read in pieces; null where nothing does.
   * @throws Error of the file system for a file that cannot be read
   */
  async measure(sha256: string): Promise<{ size: number; sha256: string } | null> {
    return await this.#look(sha256, measureFile).catch((error: unknown) => {
      if (hasCode(error, 'ENOENT')) return null
      throw error
    })
  }

  /** A sweep may have moved the file aside for a moment, and back before we looked there. */
  async #look<T>(sha256: string, at: (path: string) => Promise<T>): Promise<T> {
    for (const path of [this.#path(sha256), this.#aside(sha256)]) {
      try {
        return await at(path)
      } catch (error) {
        if (!hasCode(error, 'ENOENT')) throw error
      }
    }
    return await at(this.#path(sha256))
  }

  /** Can bytes be kept now? Makes the folder where it is not there yet. */
  async probe(): Promise<void> {
    await makeFolder(this.#root)
    await this.#write('probe', async () => false)
  }

  /**
   * Does the folder belong to this installation? One that belongs to none yet does from now on.
   * @param installation its id
   */
  async belongsTo(installation: string): Promise<boolean> {
    const path = join(this.#root, 'installation')
    await makeFolder(this.#root)
    // A link, since it fails where the name is taken and never shows half a file.
    await this.#write(installation, async (temporary) => {
      await link(temporary, path)
      return false
    }).catch((error) => {
      if (!hasCode(error, 'EEXIST')) throw error
    })
    return (await readFile(path, 'utf8')) === installation
  }

  /** The id of the installation that the folder belongs to; null where it belongs to none yet. */
  async owner(): Promise<string | null> {
    try {
      return await readFile(join(this.#root, 'installation'), 'utf8')
    } catch (error) {
      if (hasCode(error, 'ENOENT')) return null
      throw error
    }
  }

  /** Makes the folder nobody's: it will be that of whoever asks next whether it is theirs. */
  async disown(): Promise<void> {
    await makeFolder(this.#root)
    await rm(join(this.#root, 'installation'), { force: true })
    await syncFolder(this.#root)
  }

  /**
   * Writes a temporary file through to the disk, does something with it, and leaves none behind.
   * @param use says whether it has moved the file away
   */
  async #write(content: Buffer | string, use: (temporary: string) => Promise<boolean>): Promise<void> {
    const temporary = join(this.#root, `new-${randomUUID()}`)
    let moved = false
    try {
      const file = await create(temporary)
      try {
        await file.writeFile(content)
        await file.sync()
      } finally {
        await file.close()
      }
      moved = await use(temporary)
    } finally {
      if (!moved) await rm(temporary, { force: true })
    }
  }

  /**
   * Removes the files that are a day old and that nothing refers to, and temporary files that a killed
   * process left.
   *
   * A file may be put again between the question and its removal, so it is first moved aside: who puts it
   * later finds it gone and writes it anew; who touched it before shows by its time, and it is moved back.
   * @param referred of these names, those that something refers to
   * @returns how many files were removed
   */
  async sweep(referred: (names: string[]) => Promise<Set<string>>): Promise<number> {
    let removed = 0
    for (const entry of await listFolder(this.#root)) {
      const path = join(this.#root, entry)
      if (entry.startsWith('new-')) {
        if (await this.#isOld(path)) await rm(path, { force: true })
        continue
      }
      if (entry.startsWith('old-')) {
        await this.#decide(entry.slice('old-'.length), referred)
        continue
      }
      const names = (await listFolder(path)).filter((name) => SHA256_HEX.test(name))
      const old: string[] = []
      for (const name of names) if (await this.#isOld(this.#path(name))) old.push(name)
      if (old.length === 0) continue
      const kept = await referred(old)
      for (const name of old) if (!kept.has(name) && (await this.#remove(name))) removed++
    }
    return removed
  }

  async #remove(sha256: string): Promise<boolean> {
    const aside = this.#aside(sha256)
    try {
      await rename(this.#path(sha256), aside)
    } catch (error) {
      // Another worker sweeps, too.
      if (hasCode(error, 'ENOENT')) return false
      throw error
    }
    if (await this.#isOld(aside)) {
      await rm(aside, { force: true })
      return true
    }
    await this.#moveBack(sha256)
    return false
  }

  /** What a process that was killed in the middle of a sweep had moved aside, or another one has just now. */
  async #decide(sha256: string, referred: (names: string[]) => Promise<Set<string>>): Promise<void> {
    if (!SHA256_HEX.test(sha256)) return
    const unwanted = (await this.#isOld(this.#aside(sha256))) && !(await referred([sha256])).has(sha256)
    if (unwanted) await rm(this.#aside(sha256), { force: true })
    else await this.#moveBack(sha256)
  }

  async #moveBack(sha256: string): Promise<void> {
    try {
      await rename(this.#aside(sha256), this.#path(sha256))
    } catch (error) {
      if (hasCode(error, 'ENOENT')) return
      throw error
    }
    await syncFolder(join(this.#path(sha256), '..'))
  }

  async #isOld(path: string): Promise<boolean> {
    try {
      return (await stat(path)).mtimeMs < this.#now() - SWEEP_AGE_MS
    } catch (error) {
      if (hasCode(error, 'ENOENT')) return false
      throw error
    }
  }

  async #touch(path: string, size: number): Promise<boolean> {
    try {
      const now = new Date(this.#now())
      await utimes(path, now, now)
      return (await stat(path)).size === size
    } catch (error) {
      if (hasCode(error, 'ENOENT')) return false
      throw error
    }
  }

  #aside(sha256: string): string {
    return join(this.#root, `old-${sha256}`)
  }

  #path(sha256: string): string {
    if (!SHA256_HEX.test(sha256)) throw new Error('a blob is named by a SHA-256 in lower-case hexadecimal')
    return join(this.#root, sha256.slice(0, 2), sha256)
  }
}

/** The folder is there but the first time. */
async function create(path: string): Promise<FileHandle> {
  try {
    return await open(path, 'wx', 0o600)
  } catch (error) {
    if (!hasCode(error, 'ENOENT')) throw error
    await makeFolder(dirname(path))
    return await open(path, 'wx', 0o600)
  }
}

/** Most blobs' folders are there already; one that is not is made. */
async function moveTo(temporary: string, path: string): Promise<true> {
  try {
    await rename(temporary, path)
  } catch (error) {
    if (!hasCode(error, 'ENOENT')) throw error
    await makeFolder(dirname(path))
    await rename(temporary, path)
  }
  return true
}

/** Makes a folder, and each missing one above it, so that their names survive a crash. */
async function makeFolder(path: string): Promise<void> {
  const first = await mkdir(path, { recursive: true, mode: 0o700 })
  if (first === undefined) return
  for (let made = path; made.length >= first.length; made = dirname(made)) await syncFolder(dirname(made))
}

async function listFolder(path: string): Promise<string[]> {
  try {
    return await readdir(path)
  } catch (error) {
    if (hasCode(error, 'ENOENT') || hasCode(error, 'ENOTDIR')) return []
    throw error
  }
}

function hasCode(error: unknown, code: string): boolean {
  return error instanceof Error && 'code' in error && error.code === code
}
