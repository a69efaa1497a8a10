import { createHash } from 'node:crypto'
import { Transform } from 'node:stream'
import { OperatorError } from '../errors.ts'
import { damaged } from './archive.ts'

/**
 * The last bytes of an archive are the SHA-256 of all before them, in a Zstandard skippable frame (RFC 8878,
 * section 3.1.2), which `tar --zstd` passes over. Zstandard's own checksum stands over the content alone, its
 * decoder here takes a stream without its last bytes for a whole one, and passes over what follows it.
 */

const SEAL_HEAD = Buffer.from([0x5b, 0x2a, 0x4d, 0x18, 32, 0, 0, 0])
const SEAL_BYTES = SEAL_HEAD.length + 32
/** How a Zstandard frame begins (RFC 8878, section 3.1.1). */
const FRAME = Buffer.from([0x28, 0xb5, 0x2f, 0xfd])

/** Adds the seal behind what goes through. */
export function seal(onBytes: (bytes: number) => void): Transform {
  const hash = createHash('sha256')
  return new Transform({
    transform(chunk: Buffer, _encoding, done) {
      hash.update(chunk)
      onBytes(chunk.length)
      done(null, chunk)
    },
    flush(done) {
      onBytes(SEAL_BYTES)
      done(null, Buffer.concat([SEAL_HEAD, hash.digest()]))
    },
  })
}

/**
 * Lets through what stands before the seal, and fails at the end where the seal is missing or broken.
 * @param onBytes is told of each chunk's length
 */
export function breakSeal(onBytes: (bytes: number) => void): Transform {
  const hash = createHash('sha256')
  let held: Buffer = Buffer.alloc(0)
  let begun = false
  return new Transform({
    transform(chunk: Buffer, _encoding, done) {
      onBytes(chunk.length)
      const all = held.length === 0 ? chunk : Buffer.concat([held, chunk])
      const through = all.subarray(0, Math.max(0, all.length - SEAL_BYTES))
      held = all.subarray(through.length)
      if (!begun && through.length > 0) {
        if (!isFrame(through)) return done(notAnArchive())
        begun = true
      }
      hash.update(through)
      done(null, through)
    },
    flush(done) {
      if (!begun && !isFrame(held)) return done(notAnArchive())
      if (!begun || !held.subarray(0, SEAL_HEAD.length).equals(SEAL_HEAD)) {
        return done(damaged('it ends too soon, or something was added behind its end'))
      }
      if (!held.subarray(SEAL_HEAD.length).equals(hash.digest()))
        return done(damaged('bytes of it have changed'))
      done()
    },
  })
}

function isFrame(start: Buffer): boolean {
  const known = Math.min(start.length, FRAME.length)
  return known > 0 && start.subarray(0, known).equals(FRAME.subarray(0, known))
}

function notAnArchive(): OperatorError {
  return new OperatorError('This is not an archive of Bellhop')
}
