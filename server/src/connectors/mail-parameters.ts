import { setImmediate as turn } from 'node:timers/promises'
import { quotedString } from './mail-headers.ts'
import { byteForms, endOfCharacter, writeBytes } from './mail-text.ts'

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
const PARAMETER = `[ \\t]*;[ \\t]*(${TOKEN})=(${TOKEN}|"(?:[^"\\\\\\r\\n]|\\\\[^\\r\\n])*")[ \\t]*`
/** Parameters that would change how the part is cut, named or decoded. */
const NOT_KEPT = new Set(['boundary', 'name', 'filename', 'format', 'delsp'])

/** RFC 2231, section 7: what is no attribute-char is a percent sign and two hexadecimal digits a byte. */
const PERCENT_FORMS = byteForms((char, hex) => (/[A-Za-z0-9!#$&+.^_`{|}~-]/.test(char) ? char : `%${hex}`))

/** How many parameters are read between two turns of the event loop; nobody means to send so many. */
const PARAMETERS_AT_ONCE = 10_000

export type MediaType = { type: string; parameters: [string, string][] }

/**
 * A declared media type as it may be sent. `multipart/*` and `message/*` would be taken apart by readers,
 * so they, and whatever is not a media type, become `application/octet-stream`.
 */
export async function safeContentType(declared: string): Promise<MediaType> {
  const unknown = { type: ANY_TYPE, parameters: [] }
  const match = TYPE.exec(declared.trim())
  if (match === null) return unknown
  const [, main = '', sub = '', tail = ''] = match
  if (/^(multipart|message)$/i.test(main)) return unknown
  const parameters: [string, string][] = []
  const rest = tail.trim()
  const pattern = new RegExp(PARAMETER, 'y')
  for (let read = 1; pattern.lastIndex < rest.length; read += 1) {
    if (read % PARAMETERS_AT_ONCE === 0) await turn()
    const parameter = pattern.exec(rest)
    if (parameter === null) return unknown
    const [, name = '', value = ''] = parameter
    const text = value.startsWith('"') ? value.slice(1, -1).replace(/\\(.)/g, '$1') : value
    if (!NOT_KEPT.has(name.toLowerCase()) && !name.includes('*') && isPlain(name) && isPlain(text)) {
      parameters.push([name, text])
    }
  }
  return { type: `${main}/${sub}`.toLowerCase(), parameters }
}

/** A structured field with its parameters, one a line, in pieces. */
export function* parameterField(
  name: string,
  value: string,
  parameters: [string, string][],
): Generator<string> {
  yield `${name}: ${value}`
  for (const [key, text] of parameters) yield* writeParameter(key, text)
  yield '\r\n'
}

function* writeParameter(name: string, text: string): Generator<string> {
  if (isPlain(text)) {
    yield `;\r\n ${name}=${quotedString(text)}`
    return
  }
  const bytes = Buffer.from(text)
  let segment = `utf-8''`
  let count = 0
  let index = 0
  while (index < bytes.length) {
    const end = endOfCharacter(bytes, index)
    const written = writeBytes(PERCENT_FORMS, bytes, index, end)
    if (segment.length + written.length > SEGMENT) {
      yield `;\r\n ${name}*${count}*=${segment}`
      segment = ''
      count += 1
    }
    segment += written
    index = end
  }
  yield `;\r\n ${name}*${count === 0 ? '' : `${count}*`}=${segment}`
}

/** True where a quoted-string says it to every reader: short, printable, and nothing that one would decode. */
export function isPlain(text: string): boolean {
  return text.length <= SEGMENT && /^[\x20-\x7e]*$/.test(text) && !/=\?|["\\]|^ | $| {2}/.test(text)
}
