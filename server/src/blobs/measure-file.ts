import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import type { FileHandle } from 'node:fs/promises'

/** Bytes that are read at once where a file is not wanted whole. */
const PIECE = 256 * 1024

/** Size and SHA-256 of a file, read in pieces. @throws Error of the file system */
export function measureFile(path: string): Promise<{ size: number; sha256: string }> {
  return measure(createReadStream(path, { highWaterMark: PIECE }))
}

/** Of a file that is open, and stays so; read from its beginning. @throws Error of the file system */
export function measureOpenFile(file: FileHandle): Promise<{ size: number; sha256: string }> {
  return measure(file.createReadStream({ start: 0, autoClose: false, highWaterMark: PIECE }))
}

async function measure(pieces: AsyncIterable<Buffer>): Promise<{ size: number; sha256: string }> {
  const digest = createHash('sha256')
  let size = 0
  for await (const piece of pieces) {
    digest.update(piece)
    size += piece.length
  }
  return { size, sha256: digest.digest('hex') }
}
