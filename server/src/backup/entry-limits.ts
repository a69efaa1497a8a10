import { damaged, HEAD, MANIFEST, PART_BYTES } from './archive.ts'
import { NEWLINE } from './copy-text.ts'
import type { ChunkCheck } from './tar.ts'

const MIB = 1024 * 1024
/** The manifest grows with the parts, by some 100 bytes for each 4 MiB, and with what is missing. */
const LIMITS: Record<string, number> = { [HEAD]: MIB, [MANIFEST]: 256 * MIB }

/**
 * Whether an entry can be one of ours, while it comes in, so that a made-up one is not held in memory. A part of a
 * table is closed by the row that makes it {@link PART_BYTES} long: what is larger has one long row at its end.
 * @throws OperatorError where it cannot
 */
export const checkChunk: ChunkCheck = ({ name, size }, chunk, at) => {
  if (size > (LIMITS[name] ?? size)) throw tooLarge()
  if (!name.startsWith('tables/')) return
  const newline = chunk.indexOf(NEWLINE, Math.max(0, PART_BYTES - 1 - at))
  if (newline >= 0 && at + newline < size - 1) throw tooLarge()
}

function tooLarge() {
  return damaged('an entry is larger than any of Bellhop’s')
}
