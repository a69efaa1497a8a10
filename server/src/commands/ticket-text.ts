import { faultOfAuthorName } from '../desk/author-name.ts'
import { OperatorError } from '../errors.ts'

/** Where a command reads what is said, and where it tells that it waits for it. */
export type Terminal = { input: NodeJS.ReadStream; errors: NodeJS.WritableStream }

/**
 * What is to be said: `--body`, else standard input without the line ends behind it.
 * @param limit bytes in UTF-8
 * @throws OperatorError where it is empty, too long, or no text
 */
export async function readText(
  given: string | undefined,
  { input, errors }: Terminal,
  limit: number,
): Promise<string> {
  if (given === undefined && input.isTTY)
    errors.write('Write the text, and end it with Ctrl-D on a new line:\n')
  const text = (given ?? (await readInput(input, limit))).toWellFormed()
  if (text.trim() === '') throw new OperatorError('Expected a text, by --body or on standard input')
  if (text.includes('\0')) throw new OperatorError('The text must not contain the character NUL.')
  if (Buffer.byteLength(text) > limit) throw tooLong(limit)
  return text
}

async function readInput(input: NodeJS.ReadStream, limit: number): Promise<string> {
  const pieces: Buffer[] = []
  let length = 0
  for await (const piece of input) {
    length += piece.length
    if (length > limit) throw tooLong(limit)
    pieces.push(Buffer.from(piece))
  }
  try {
    const text = new TextDecoder('utf-8', { fatal: true }).decode(Buffer.concat(pieces))
    return text.replace(/(?:\r?\n)+$/, '')
  } catch {
    throw new OperatorError('Standard input: expected text in UTF-8')
  }
}

function tooLong(limit: number): OperatorError {
  return new OperatorError(`The text is over ${limit} bytes.`)
}

/** @throws OperatorError */
export function readName(name: string | undefined): string | null {
  if (name === undefined) return null
  const fault = faultOfAuthorName(name)
  if (fault !== null) throw new OperatorError(`--name ${fault}`)
  return name.toWellFormed()
}
