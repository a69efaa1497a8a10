import type { BlobFolder } from '../blobs/blob-folder.ts'
import { inDataDir } from './archive-file.ts'

const AT_ONCE = 8
const BYTES_AT_ONCE = 64 * 1024 * 1024

/** Puts blobs into the folder, some at a time, and remembers those that were not there before. */
export class RestoredBlobs {
  readonly #folder: BlobFolder
  readonly #underWay = new Set<Promise<void>>()
  readonly #written: string[] = []
  #bytes = 0
  #failure: unknown = null

  constructor(folder: BlobFolder) {
    this.#folder = folder
  }

  /** Resolves when there is room for the next one. @throws what an earlier one failed with */
  async put(sha256: string, bytes: Buffer): Promise<void> {
    while (
      this.#underWay.size >= AT_ONCE ||
      (this.#bytes > 0 && this.#bytes + bytes.length > BYTES_AT_ONCE)
    ) {
      await Promise.race(this.#underWay)
    }
    if (this.#failure !== null) throw this.#failure
    this.#bytes += bytes.length
    const putting = inDataDir(this.#put(sha256, bytes)).then(
      () => {},
      (error: unknown) => {
        this.#failure ??= error
      },
    )
    this.#underWay.add(putting)
    void putting.then(() => {
      this.#underWay.delete(putting)
      this.#bytes -= bytes.length
    })
  }

  async #put(sha256: string, bytes: Buffer): Promise<void> {
    if (await this.#folder.put(sha256, bytes)) {
      this.#written.push(sha256)
      return
    }
    // It was there before, and is not ours to take away again, but may be damaged.
    const whole = await this.#folder.read(sha256).then(
      () => true,
      () => false,
    )
    if (whole) return
    await this.#folder.remove(sha256)
    await this.#folder.put(sha256, bytes)
  }

  /** Resolves when all are on the disk. @throws what one of them failed with */
  async settle(): Promise<void> {
    await Promise.all(this.#underWay)
    if (this.#failure !== null) throw this.#failure
  }

  /** Removes those that were written: the restore has failed. */
  async undo(): Promise<void> {
    await Promise.all(this.#underWay)
    for (const sha256 of this.#written) await this.#folder.remove(sha256)
  }
}
