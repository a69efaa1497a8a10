/**
 * Text in mail headers: when it must be encoded, how encoded-words are cut (RFC 2047), and how a value is
 * folded (RFC 5322, section 2.2.3). A field may have megabytes, so the text is UTF-8 bytes, and each is met
 * once and looked up in a table.
 */

/** The longest encoded-word, and the longest line that holds one (RFC 2047, section 2). */
const ENCODED_WORD = 75
const ENCODED_LINE = 76
/** The line length that RFC 5322, section 2.1.1 recommends. */
const LINE = 78
const LF = 10
const CR = 13
const SPACE = 32
const EQUALS = 61
const QUESTION_MARK = 63

/** How Q encoding writes each byte; what it may leave as it is, it leaves in phrases too (RFC 2047, section 5). */
const Q_FORMS = byteForms((char, hex) => {
  if (char === ' ') return '_'
  return /[A-Za-z0-9!*+/-]/.test(char) ? char : `=${hex}`
})

/**
 * A table of what is written for each byte.
 * @param write takes the byte as a character, which means one only where it is ASCII, and in two hexadecimal digits
 */
export function byteForms(write: (char: string, hex: string) => string): string[] {
  return Array.from({ length: 256 }, (_, byte) =>
    write(String.fromCharCode(byte), byte.toString(16).toUpperCase().padStart(2, '0')),
  )
}

export function writeBytes(forms: string[], bytes: Buffer, start: number, end: number): string {
  let written = ''
  for (let index = start; index < end; index += 1) written += forms[bytes[index] ?? 0] ?? ''
  return written
}

/** Where the character that begins at `index` ends, in well-formed UTF-8. */
export function endOfCharacter(bytes: Buffer, index: number): number {
  const first = bytes[index] ?? 0
  if (first < 0x80) return index + 1
  if (first < 0xe0) return index + 2
  return first < 0xf0 ? index + 3 : index + 4
}

/**
 * One line of well-formed text: CRLF, CR and LF are a space each, and a lone surrogate is U+FFFD.
 */
export function oneLine(text: string): Buffer {
  const bytes = Buffer.from(text)
  let length = 0
  for (let index = 0; index < bytes.length; index += 1) {
    const byte = bytes[index] ?? 0
    if (byte === CR && bytes[index + 1] === LF) continue
    bytes[length] = byte === CR || byte === LF ? SPACE : byte
    length += 1
  }
  return bytes.subarray(0, length)
}

/**
 * True where a reader would not see exactly this line if it were written as it is: it is not printable
 * ASCII, would be read as an encoded-word, has white space that readers trim or collapse, or a word that
 * no folding can bring under the line limit.
 */
export function needsEncoding(line: Buffer): boolean {
  let word = 0
  for (let index = 0; index < line.length; index += 1) {
    const byte = line[index] ?? 0
    if (byte < 0x20 || byte > 0x7e) return true
    if (byte === SPACE) {
      if (word === 0) return true
      word = 0
      continue
    }
    if (byte === QUESTION_MARK && line[index - 1] === EQUALS) return true
    word += 1
    if (word > ENCODED_WORD) return true
  }
  return word === 0 && line.length > 0
}

/**
 * Folds a line that needs no encoding at its spaces.
 * @param used how many columns of the first line are taken
 */
export function* foldWords(line: Buffer, used: number): Generator<string> {
  const text = line.toString('latin1')
  let start = 0
  let room = LINE - used
  while (text.length - start > room) {
    // A word that has no room even on a line of its own goes over.
    const last = text.lastIndexOf(' ', start + room)
    const end = last > start ? last : text.indexOf(' ', start)
    if (end === -1) break
    yield `${text.slice(start, end)}\r\n `
    start = end + 1
    room = LINE - 1
  }
  yield text.slice(start)
}

/**
 * Encoded-words for the whole line, one a line. No code point is split over two of them, since each is
 * decoded by itself (RFC 2047, section 5).
 * @param used how many columns of the first line are taken
 */
export function* encodeWords(line: Buffer, used: number): Generator<string> {
  const quoted = QUOTED.cost(line, 0, line.length)
  const encoding = quoted <= Math.ceil(line.length / 3) * 4 ? QUOTED : BASE64
  let room = Math.min(ENCODED_WORD, ENCODED_LINE - used)
  let start = 0
  let cost = 0
  let index = 0
  while (index < line.length) {
    const end = endOfCharacter(line, index)
    const more = encoding.cost(line, index, end)
    if (index > start && encoding.length(cost + more) > room) {
      yield `${encoding.write(line, start, index)}\r\n `
      room = ENCODED_WORD
      start = index
      cost = 0
    }
    cost += more
    index = end
  }
  yield encoding.write(line, start, line.length)
}

type WordEncoding = {
  /** What these bytes add, in units of the encoding. */
  cost(line: Buffer, start: number, end: number): number
  /** How long an encoded-word of so many units is. */
  length(cost: number): number
  write(line: Buffer, start: number, end: number): string
}

const QUOTED: WordEncoding = {
  cost(line, start, end) {
    let cost = 0
    for (let index = start; index < end; index += 1) cost += (Q_FORMS[line[index] ?? 0] ?? '').length
    return cost
  },
  length: (cost) => '=?UTF-8?Q??='.length + cost,
  write: (line, start, end) => `=?UTF-8?Q?${writeBytes(Q_FORMS, line, start, end)}?=`,
}

const BASE64: WordEncoding = {
  cost: (_line, start, end) => end - start,
  length: (cost) => '=?UTF-8?B??='.length + Math.ceil(cost / 3) * 4,
  write: (line, start, end) => `=?UTF-8?B?${line.toString('base64', start, end)}?=`,
}
