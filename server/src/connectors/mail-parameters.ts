import { quotedString } from './mail-headers.ts'

/**
 * Content-Type and Content-Disposition with their parameters (RFC 2045, section 5.1; RFC 2183), whose
 * values may be in any script and of any length (RFC 2231).
 */

export const ANY_TYPE = 'application/octet-stream'

/** How much of one parameter stands on a line; with name and indentation it stays under 76 columns. */
const SEGMENT = 50
const TOKEN = "[A-Za-z0-9!#$%&'*+.^_`{|}~-]+"
/** RFC 6838, section 4.2: 127 characters at most for each half. */
const TYPE = /^([A-Za-z0-9][A-Za-z0-9!#$&^_.+-]{0,126})\/([A-Za-z0-9][A-Za-z0-9!#$&^_.+-]{0,126})(.*)$/s
const PARAMETER = new RegExp(
  `^[ \\t]*;[ \\t]*(${TOKEN})=(${TOKEN}|"(?:[^"\\\\\\r\\n]|\\\\[^\\r\\n])*")[ \\t]*`,
)
/** Parameters that would change how the part is cut, named or decoded. */
const NOT_KEPT = new Set(['boundary', 'name', 'filename', 'format', 'delsp'])

/**
 * A declared media type as it may be sent. `multipart/*` and `message/*` would be taken apart by readers,
 * so they, and whatever is not a media type, become `application/octet-stream`.
 */
export function safeContentType(declared: string): { type: string; parameters: [string, string][] } {
  const unknown = { type: ANY_TYPE, parameters: [] }
  const match = TYPE.exec(declared.trim())
  if (match === null) return unknown
  const [, main = '', sub = '', tail = ''] = match
  if (/^(multipart|message)$/i.test(main)) return unknown
  const parameters: [string, string][] = []
  let rest = tail.trim()
  while (rest !== '') {
    const parameter = PARAMETER.exec(rest)
    if (parameter === null) return unknown
    const [whole, name = '', value = ''] = parameter
    const text = value.startsWith('"') ? value.slice(1, -1).replace(/\\(.)/g, '$1') : value
    if (!NOT_KEPT.has(name.toLowerCase()) && !name.includes('*') && isPlain(name) && isPlain(text)) {
      parameters.push([name, text])
    }
    rest = rest.slice(whole.length)
  }
  return { type: `${main}/${sub}`.toLowerCase(), parameters }
}

/** A structured field with its parameters, one a line. */
export function parameterField(name: string, value: string, parameters: [string, string][]): string {
  const lines = parameters.flatMap(([key, text]) => writeParameter(key, text))
  return `${[`${name}: ${value}`, ...lines].join(';\r\n ')}\r\n`
}

function writeParameter(name: string, value: string): string[] {
  const text = value.toWellFormed()
  if (isPlain(text)) return [`${name}=${quotedString(text)}`]
  const segments = [`utf-8''`]
  for (const char of text) {
    const written = percentForm(char)
    const last = segments.at(-1) ?? ''
    if (last.length + written.length > SEGMENT) segments.push(written)
    else segments[segments.length - 1] = last + written
  }
  if (segments.length === 1) return [`${name}*=${segments[0]}`]
  return segments.map((segment, index) => `${name}*${index}*=${segment}`)
}

/** True where a quoted-string says it to every reader: short, printable, and nothing that one would decode. */
export function isPlain(text: string): boolean {
  return text.length <= SEGMENT && /^[\x20-\x7e]*$/.test(text) && !/=\?|["\\]|^ | $| {2}/.test(text)
}

/** RFC 2231, section 7: what is no attribute-char is a percent sign and two hexadecimal digits a byte. */
function percentForm(char: string): string {
  if (/^[A-Za-z0-9!#$&+.^_`{|}~-]$/.test(char)) return char
  return Buffer.from(char).toString('hex').toUpperCase().replace(/../g, '%$&')
}
