import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdir, mkdtemp, open, rm, statfs } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'

const PIECE = Buffer.alloc(1024 * 1024)

/** A disk of few MiB, in memory, that can be filled to its last byte. Only root may mount one. */
export class SmallDisk {
  readonly folder: string
  readonly #ballast: string

  private constructor(folder: string) {
    this.folder = folder
    this.#ballast = join(folder, 'ballast')
  }

  /** @param folder is made where it is not there */
  static async mount(folder: string, mebibytes: number): Promise<SmallDisk> {
    await mkdir(folder, { recursive: true, mode: 0o700 })
    const options = `size=${mebibytes}m,mode=0700`
    if (!(await runs('mount', '-t', 'tmpfs', '-o', options, 'tmpfs', folder))) {
      throw new Error('no disk can be mounted here')
    }
    return new SmallDisk(folder)
  }

  /** Why there can be none on this machine, or null. */
  static async impossible(): Promise<string | null> {
    const folder = await mkdtemp(join(tmpdir(), 'bellhop-disk-'))
    try {
      const disk = await SmallDisk.mount(folder, 1)
      await disk.unmount()
      return null
    } catch {
      return 'a small disk can be mounted by root alone'
    } finally {
      await rm(folder, { recursive: true, force: true })
    }
  }

  async freeMiB(): Promise<number> {
    const { bavail, bsize } = await statfs(this.folder)
    return Math.floor((bavail * bsize) / 2 ** 20)
  }

  /** Leaves no room at all. */
  async fill(): Promise<void> {
    const file = await open(this.#ballast, 'a', 0o600)
    try {
      for (let piece = PIECE; piece.length > 0; ) {
        const { bavail, bsize } = await statfs(this.folder)
        if (bavail === 0) return
        piece = PIECE.subarray(0, Math.min(PIECE.length, bavail * bsize))
        await file.write(piece).catch((error: unknown) => {
          if (!(error instanceof Error && 'code' in error && error.code === 'ENOSPC')) throw error
        })
      }
    } finally {
      await file.close()
    }
  }

  async makeRoom(): Promise<void> {
    await rm(this.#ballast, { force: true })
  }

  /** Nobody may use it any more; whoever does so for a moment yet is waited for. */
  async unmount(): Promise<void> {
    for (let left = 50; left > 0; left--) {
      if (await runs('umount', this.folder)) return
      await pause(100)
    }
    await runs('umount', '-l', this.folder)
  }
}

async function runs(command: string, ...args: string[]): Promise<boolean> {
  try {
    const [status] = await once(spawn(command, args, { stdio: 'ignore' }), 'exit')
    return status === 0
  } catch {
    // There is no such program.
    return false
  }
}
