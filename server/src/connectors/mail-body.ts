import { setImmediate as turn } from 'node:timers/promises'
import { byteForms } from './mail-text.ts'

/**
 * The bodies of MIME parts (RFC 2045, sections 6.7 and 6.8), 7-bit clean and in lines of at most 76
 * characters, so that no server on the way has a reason to rewrite them.
 */

/** Base64 characters on a line, and the bytes that they hold. */
const LINE = 76
const LINE_BYTES = 57
/** How many lines of an attachment are encoded at a time; 57 KiB of it. */
const LINES_AT_ONCE = 1024
/** Bytes of text that are looked at between two turns of the event loop. */
const LOOKED_AT = 256 * 1024
const LF = 10
const CR = 13
const LITERALS = byteForms((char) => char)
const ESCAPES = byteForms((_char, hex) => `=${hex}`)

export type TextBody = {
  encoding: 'quoted-printable' | 'base64'
  /** 7-bit text. */
  pieces: Generator<string>
}

/**
 * A text body whose line breaks are CRLF, as text types want them (RFC 2046, section 4.1.1); a CR that
 * stands alone is no line break and is kept. Quoted-printable is readable in raw form and is taken where it
 * is not the longer of the two.
 * @param whole where the body is the whole of a message. SMTP ends every message with a line break (RFC
 *   5321, section 4.1.1.4); a soft one says that the text itself has none there.
 */
export async function encodeText(text: string, whole: boolean): Promise<TextBody> {
  const bytes = await withLineBreaks(text)
  let escaped = 0
  for (let index = 0; index < bytes.length; index += 1) {
    const byte = bytes[index] ?? 0
    if (!isLiteral(byte) && byte !== LF) escaped += 1
    if (index % LOOKED_AT === LOOKED_AT - 1) await turn()
  }
  if (bytes.length + 2 * escaped > Math.ceil(bytes.length / 3) * 4) {
    return { encoding: 'base64', pieces: base64Lines(bytes) }
  }
  const soft = whole && bytes.length > 0 && bytes.at(-1) !== LF
  return { encoding: 'quoted-printable', pieces: quotedPrintable(bytes, soft) }
}

/** Base64 in lines that end with CRLF, in pieces, so that a large attachment is never held twice. */
export function* base64Lines(bytes: Buffer): Generator<string> {
  const step = LINE_BYTES * LINES_AT_ONCE
  for (let start = 0; start < bytes.length; start += step) {
    yield bytes.toString('base64', start, start + step).replace(/.{1,76}/g, '$&\r\n')
  }
}

/** How many bytes {@link base64Lines} yields for so many. */
export function base64Length(bytes: number): number {
  return Math.ceil(bytes / 3) * 4 + Math.ceil(bytes / LINE_BYTES) * 2
}

/** UTF-8, in which a lone surrogate is U+FFFD, with a CR before each LF that has none. */
async function withLineBreaks(text: string): Promise<Buffer> {
  const given = Buffer.from(text)
  let bare = 0
  for (let index = 0; index < given.length; index += 1) {
    if (given[index] === LF && given[index - 1] !== CR) bare += 1
    if (index % LOOKED_AT === LOOKED_AT - 1) await turn()
  }
  if (bare === 0) return given
  const bytes = Buffer.allocUnsafe(given.length + bare)
  let length = 0
  for (let index = 0; index < given.length; index += 1) {
    const byte = given[index] ?? 0
    if (byte === LF && given[index - 1] !== CR) {
      bytes[length] = CR
      length += 1
    }
    bytes[length] = byte
    length += 1
    if (index % LOOKED_AT === LOOKED_AT - 1) await turn()
  }
  return bytes
}

function* quotedPrintable(bytes: Buffer, soft: boolean): Generator<string> {
  let line = ''
  for (let index = 0; index < bytes.length; index += 1) {
    const byte = bytes[index] ?? 0
    if (byte === CR && bytes[index + 1] === LF) {
      yield `${line}\r\n`
      line = ''
      index += 1
      continue
    }
    const ends = bytes[index + 1] === CR && bytes[index + 2] === LF
    const last = ends || index + 1 === bytes.length
    const kept = isKept(byte, line === '', last, bytes, index)
    const written = (kept ? LITERALS[byte] : ESCAPES[byte]) ?? ''
    // One column is left for a soft line break, except where a real one follows.
    if (line.length + written.length > (ends ? LINE : LINE - 1)) {
      yield `${line}=\r\n`
      line = written
    } else {
      line += written
    }
  }
  yield soft ? `${line}=\r\n` : line
}

/**
 * True where the byte may stand for itself. White space at the end of a line is lost on some ways, a dot at
 * its start means something to SMTP, and "From " at its start to mailbox files.
 */
function isKept(byte: number, first: boolean, last: boolean, bytes: Buffer, index: number): boolean {
  if (!isLiteral(byte)) return false
  if (last && (byte === 32 || byte === 9)) return false
  if (first && byte === 46) return false
  return !(first && byte === 70 && bytes.toString('latin1', index, index + 5) === 'From ')
}

function isLiteral(byte: number): boolean {
  return byte === 9 || (byte >= 32 && byte <= 126 && byte !== 61)
}
