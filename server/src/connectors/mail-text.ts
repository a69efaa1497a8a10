/**
 * Text in mail headers: when it must be encoded, how encoded-words are cut (RFC 2047), and how a value is
 * folded (RFC 5322, section 2.2.3).
 */

/** The longest encoded-word, and the longest line that holds one (RFC 2047, section 2). */
const ENCODED_WORD = 75
const ENCODED_LINE = 76
/** The line length that RFC 5322, section 2.1.1 recommends. */
const LINE = 78
const CONTROLS_AND_BEYOND = /[^\x20-\x7e]/
/** The characters that Q encoding may leave as they are in every place, phrases included (RFC 2047, section 5). */
const Q_SAFE = /^[A-Za-z0-9!*+/-]$/

/**
 * One line of well-formed text: CRLF, CR and LF are a space each, and a lone surrogate is U+FFFD.
 */
export function oneLine(text: string): string {
  return text.toWellFormed().replace(/\r\n|\r|\n/g, ' ')
}

/**
 * True where a reader would not see exactly this text if it were written as it is: it is not printable
 * ASCII, would be read as an encoded-word, has white space that readers trim or collapse, or a word that
 * no folding can bring under the line limit.
 */
export function needsEncoding(text: string): boolean {
  if (CONTROLS_AND_BEYOND.test(text) || text.includes('=?')) return true
  if (text.startsWith(' ') || text.endsWith(' ') || text.includes('  ')) return true
  return text.split(' ').some((word) => word.length > ENCODED_WORD)
}

/**
 * Folds printable ASCII at its spaces.
 * @param used how many columns of the first line are taken
 */
export function foldWords(text: string, used: number): string {
  let folded = ''
  let column = used
  for (const [index, word] of text.split(' ').entries()) {
    if (index > 0) {
      const fits = column + 1 + word.length <= LINE
      folded += fits ? ' ' : '\r\n '
      column = fits ? column + 1 : 1
    }
    folded += word
    column += word.length
  }
  return folded
}

/**
 * Encoded-words for the whole text, one a line. No code point is split over two of them, since each is
 * decoded by itself (RFC 2047, section 5).
 * @param used how many columns of the first line are taken
 */
export function encodeWords(text: string, used: number): string {
  const bytes = Buffer.byteLength(text)
  let quoted = 0
  for (const char of text) quoted += quotedForm(char).length
  const encoding = quoted <= Math.ceil(bytes / 3) * 4 ? QUOTED : BASE64
  const words: string[] = []
  let room = Math.min(ENCODED_WORD, ENCODED_LINE - used)
  let piece = ''
  let cost = 0
  for (const char of text) {
    const more = encoding.cost(char)
    if (piece !== '' && encoding.length(cost + more) > room) {
      words.push(encoding.write(piece))
      room = ENCODED_WORD
      piece = ''
      cost = 0
    }
    piece += char
    cost += more
  }
  words.push(encoding.write(piece))
  return words.join('\r\n ')
}

type WordEncoding = {
  /** What one character adds, in units of the encoding. */
  cost(char: string): number
  /** How long an encoded-word of so many units is. */
  length(cost: number): number
  write(piece: string): string
}

const QUOTED: WordEncoding = {
  cost: (char) => quotedForm(char).length,
  length: (cost) => '=?UTF-8?Q??='.length + cost,
  write: (piece) => `=?UTF-8?Q?${Array.from(piece, quotedForm).join('')}?=`,
}

const BASE64: WordEncoding = {
  cost: (char) => Buffer.byteLength(char),
  length: (cost) => '=?UTF-8?B??='.length + Math.ceil(cost / 3) * 4,
  write: (piece) => `=?UTF-8?B?${Buffer.from(piece).toString('base64')}?=`,
}

function quotedForm(char: string): string {
  if (char === ' ') return '_'
  if (Q_SAFE.test(char)) return char
  return Buffer.from(char).toString('hex').toUpperCase().replace(/../g, '=$&')
}
