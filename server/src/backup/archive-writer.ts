import { once } from 'node:events'
import type { Writable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { constants, createZstdCompress } from 'node:zlib'
import { seal } from './seal.ts'
import { TAR_END, tarHeader, tarPadding } from './tar.ts'

export type ArchiveWriter = {
  /** Adds an entry, and waits while the output is slower. @throws what the output failed with */
  add(name: string, body: Buffer): Promise<void>
  /** Resolves when the last byte is where the output keeps it. @returns the bytes of the whole archive */
  end(): Promise<number>
  /** Gives up. What has been written is no archive. */
  abort(): Promise<void>
}

/**
 * @param at the entries' time, in seconds since 1970
 * @param signal gives up when it is aborted
 */
export function writeArchive(output: Writable, at: number, signal: AbortSignal): ArchiveWriter {
  const compress = createZstdCompress({ params: { [constants.ZSTD_c_checksumFlag]: 1 } })
  const ending = new AbortController()
  let written = 0
  const count = (bytes: number) => {
    written += bytes
  }
  const piped = pipeline(compress, seal(count), output, {
    signal: AbortSignal.any([signal, ending.signal]),
  })
  // Whoever adds or ends hears of it; between those there is nobody to hear.
  piped.catch(() => {})
  /** Fails with what the pipe failed with, and otherwise waits for ever. */
  const failure = piped.then(() => new Promise<never>(() => {}))
  failure.catch(() => {})

  async function write(bytes: Buffer): Promise<void> {
    if (bytes.length === 0) return
    if (compress.destroyed) return await failure
    if (!compress.write(bytes)) await Promise.race([once(compress, 'drain').catch(() => failure), failure])
  }

  return {
    async add(name, body) {
      await write(tarHeader(name, body.length, at))
      await write(body)
      await write(tarPadding(body.length))
    },
    async end() {
      // One that ends with a write still before it puts an empty frame behind the archive's own, at which a
      // reader that takes it in other pieces stops (nodejs/node#64741).
      const taken = new Promise<void>((resolve) => compress.write(TAR_END, () => resolve()))
      await Promise.race([taken, failure])
      compress.end()
      await piped
      return written
    },
    async abort() {
      ending.abort()
      await piped.catch(() => {})
    },
  }
}
