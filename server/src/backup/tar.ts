import { damaged } from './archive.ts'

/**
 * As much of the tar format (POSIX.1-2024, pax, "ustar Interchange Format") as an archive needs: regular files
 * with short names. The reader takes nothing else, so that no link, no folder and no path out of it comes in.
 */

const BLOCK = 512
const NAME_BYTES = 100
/** No entry is larger: a part is some MiB and a row, and an attachment is bounded by MAX_ATTACHMENT_BYTES. */
const ENTRY_LIMIT = 512 * 1024 * 1024

/** Two blocks of zeros. */
export const TAR_END: Buffer = Buffer.alloc(2 * BLOCK)

/** @param at seconds since 1970 */
export function tarHeader(name: string, size: number, at: number): Buffer {
  if (Buffer.byteLength(name) > NAME_BYTES) throw new Error('an entry of an archive has a short name')
  if (size > ENTRY_LIMIT) throw new Error('an entry of an archive is at most 512 MiB')
  const header = Buffer.alloc(BLOCK)
  header.write(name, 0)
  header.write('0000600\0', 100)
  header.write('0000000\0', 108)
  header.write('0000000\0', 116)
  header.write(`${octal(size, 11)}\0`, 124)
  header.write(`${octal(at, 11)}\0`, 136)
  header.write('0', 156)
  header.write('ustar\x0000', 257)
  header.write(`${octal(checksum(header), 6)}\0 `, 148)
  return header
}

/** Zeros up to the next block. */
export function tarPadding(size: number): Buffer {
  return Buffer.alloc((BLOCK - (size % BLOCK)) % BLOCK)
}

export type TarEntry = { name: string; body: Buffer }

/** Of an entry that comes in: `chunk` begins at byte `at` of its `size`. It throws for what no entry can be. */
export type ChunkCheck = (entry: { name: string; size: number }, chunk: Buffer, at: number) => void

/**
 * The entries of a tar, one at a time, each whole in memory. After the last one it has read the source to its
 * end.
 * @throws OperatorError where it is not whole, or has more than regular files with plain names
 */
export async function* readTar(
  source: AsyncIterable<Buffer>,
  check: ChunkCheck = () => {},
): AsyncGenerator<TarEntry> {
  const bytes = new Bytes(source)
  for (;;) {
    const header = await bytes.take(BLOCK)
    if (isZero(header)) break
    const { name, size } = parseHeader(header)
    const body = await bytes.take(size, (chunk, at) => check({ name, size }, chunk, at))
    if (!isZero(await bytes.take(tarPadding(size).length)))
      throw damaged('something stands between its entries')
    yield { name, body }
  }
  if (!isZero(await bytes.take(BLOCK))) throw damaged('it does not end as it should')
  if (!(await bytes.ended())) throw damaged('something follows its end')
}

function parseHeader(header: Buffer): { name: string; size: number } {
  if (header.toString('latin1', 257, 262) !== 'ustar') throw damaged('an entry has no header')
  if (parseOctal(header.toString('latin1', 148, 156)) !== checksum(header)) {
    throw damaged('the header of an entry does not hold')
  }
  const type = header.toString('latin1', 156, 157)
  const name = header.toString('latin1', 0, NAME_BYTES).replace(/\0.*$/s, '')
  // Nothing is ever written to a path from here; a name of another kind is still no name of ours.
  if (type !== '0' || header[345] !== 0 || !/^[a-z0-9_]+(?:[./][a-z0-9_]+){0,3}$/.test(name)) {
    throw damaged('it has an entry that no archive of Bellhop has')
  }
  const size = parseOctal(header.toString('latin1', 124, 136))
  if (size === null || size > ENTRY_LIMIT) throw damaged('an entry is larger than any of Bellhop’s')
  return { name, size }
}

/** The sum of a header's bytes, its own field counted as blanks. */
function checksum(header: Buffer): number {
  let sum = 8 * 0x20
  for (const [index, byte] of header.entries()) if (index < 148 || index >= 156) sum += byte
  return sum
}

function octal(value: number, digits: number): string {
  return Math.floor(value).toString(8).padStart(digits, '0')
}

function parseOctal(text: string): number | null {
  const digits = /^([0-7]+)[\0 ]*$/.exec(text)?.[1]
  return digits === undefined ? null : Number.parseInt(digits, 8)
}

function isZero(bytes: Buffer): boolean {
  return bytes.every((byte) => byte === 0)
}

/** Takes so many bytes at a time from a source whose chunks have sizes of their own. */
class Bytes {
  readonly #source: AsyncIterator<Buffer>
  #rest: Buffer = Buffer.alloc(0)

  constructor(source: AsyncIterable<Buffer>) {
    this.#source = source[Symbol.asyncIterator]()
  }

  async take(size: number, check: (chunk: Buffer, at: number) => void = () => {}): Promise<Buffer> {
    let whole: Buffer | null = null
    for (let at = 0; at < size; ) {
      if (this.#rest.length === 0 && (await this.ended())) throw damaged('it ends too soon')
      const chunk = this.#rest.subarray(0, size - at)
      check(chunk, at)
      this.#rest = this.#rest.subarray(chunk.length)
      if (chunk.length === size) return chunk
      whole ??= Buffer.allocUnsafe(size)
      whole.set(chunk, at)
      at += chunk.length
    }
    return whole ?? Buffer.alloc(0)
  }

  async ended(): Promise<boolean> {
    while (this.#rest.length === 0) {
      const next = await this.#source.next()
      if (next.done === true) return true
      this.#rest = next.value
    }
    return false
  }
}
