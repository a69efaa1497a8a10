import { createReadStream } from 'node:fs'
import { buffer } from 'node:stream/consumers'

/** Far more than any brands file or key set needs; a wrong path may lead to a device without an end. */
const SIZE_LIMIT = 1024 * 1024

/** A whole small file, or why it cannot be read: `ENOENT`, `EISDIR`, `EACCES`, `larger than 1 MiB`. */
export async function readBounded(path: string): Promise<Buffer | string> {
  try {
    // `end` is counted in: one byte more than the limit tells that the file goes on.
    const bytes = await buffer(createReadStream(path, { end: SIZE_LIMIT }))
    return bytes.length > SIZE_LIMIT ? 'larger than 1 MiB' : bytes
  } catch (error) {
    return error instanceof Error && 'code' in error ? String(error.code) : 'unreadable'
  }
}
