/**
 * The bodies of MIME parts (RFC 2045, sections 6.7 and 6.8), 7-bit clean and in lines of at most 76
 * characters, so that no server on the way has a reason to rewrite them.
 */

/** Base64 characters on a line, and the bytes that they hold. */
const LINE = 76
const LINE_BYTES = 57
/** How many lines of an attachment are encoded at a time; 57 KiB of it. */
const LINES_AT_ONCE = 1024

export type TextBody = { encoding: 'quoted-printable' | 'base64'; content: Buffer }

/**
 * A text body whose line breaks are CRLF, as text types want them (RFC 2046, section 4.1.1); a CR that
 * stands alone is no line break and is kept. Quoted-printable is readable in raw form and is taken where it
 * is not the longer of the two.
 */
export function encodeText(text: string): TextBody {
  const bytes = Buffer.from(text.toWellFormed().replace(/\r?\n/g, '\r\n'))
  const escaped = bytes.reduce((count, byte) => (isLiteral(byte) || byte === 10 ? count : count + 1), 0)
  if (bytes.length + 2 * escaped <= Math.ceil(bytes.length / 3) * 4) {
    return { encoding: 'quoted-printable', content: quotedPrintable(bytes) }
  }
  return { encoding: 'base64', content: Buffer.concat([...base64Lines(bytes)]) }
}

/**
 * The body as the whole of a message. SMTP ends every message with a line break (RFC 5321, section 4.1.1.4);
 * a soft one says that the text itself has none there.
 */
export function endsWithLineBreak(body: TextBody): Buffer {
  const soft = body.encoding === 'quoted-printable' && body.content.length > 0 && body.content.at(-1) !== 10
  return soft ? Buffer.concat([body.content, Buffer.from('=\r\n')]) : body.content
}

/** Base64 in lines that end with CRLF, in pieces, so that a large attachment is never held twice. */
export function* base64Lines(bytes: Buffer): Generator<Buffer> {
  const step = LINE_BYTES * LINES_AT_ONCE
  for (let start = 0; start < bytes.length; start += step) {
    const encoded = bytes.subarray(start, start + step).toString('base64')
    yield Buffer.from(encoded.replace(/.{1,76}/g, '$&\r\n'), 'latin1')
  }
}

/** How many bytes {@link base64Lines} yields for so many. */
export function base64Length(bytes: number): number {
  return Math.ceil(bytes / 3) * 4 + Math.ceil(bytes / LINE_BYTES) * 2
}

function quotedPrintable(bytes: Buffer): Buffer {
  const out: string[] = []
  let line = ''
  for (let index = 0; index < bytes.length; index += 1) {
    const byte = bytes[index] ?? 0
    if (byte === 13 && bytes[index + 1] === 10) {
      out.push(line, '\r\n')
      line = ''
      index += 1
      continue
    }
    const ends = bytes[index + 1] === 13 && bytes[index + 2] === 10
    const last = ends || index + 1 === bytes.length
    const written = isKept(byte, line === '', last, bytes, index)
      ? String.fromCharCode(byte)
      : `=${byte.toString(16).toUpperCase().padStart(2, '0')}`
    // One column is left for a soft line break, except where a real one follows.
    if (line.length + written.length > (ends ? LINE : LINE - 1)) {
      out.push(line, '=\r\n')
      line = written
    } else {
      line += written
    }
  }
  out.push(line)
  return Buffer.from(out.join(''), 'latin1')
}

/**
 * True where the byte may stand for itself. White space at the end of a line is lost on some ways, a dot at
 * its start means something to SMTP, and "From " at its start to mailbox files.
 */
function isKept(byte: number, first: boolean, last: boolean, bytes: Buffer, index: number): boolean {
  if (!isLiteral(byte)) return false
  if (last && (byte === 32 || byte === 9)) return false
  if (first && byte === 46) return false
  return !(first && byte === 70 && bytes.subarray(index, index + 5).toString('latin1') === 'From ')
}

function isLiteral(byte: number): boolean {
  return byte === 9 || (byte >= 32 && byte <= 126 && byte !== 61)
}
