import type { Fault, NewAttachment } from '@bellhop/contract'
import { AppError } from '../errors.ts'

export type RequestLimits = {
  /** Bytes of UTF-8 of all decoded text together. */
  text: number
  /** Bytes of the decoded attachments together. */
  attachment: number
}

const NUL = '\u0000'

/** Faults that one answer tells: a list of files may have thousands. */
const TOLD = 10

/** @throws AppError `validation_error` that names the fields, where there are faults */
export function refuseFaults(faults: Fault[]): void {
  if (faults.length === 0) return
  const told = faults.slice(0, TOLD).map((fault) => `${fault.field} ${fault.expected}`)
  throw new AppError('validation_error', `${told.join('; ')}.`)
}

/**
 * @param texts every text of a request but the attachments' bytes, each with its field
 * @throws AppError `validation_error` for the character NUL, `payload_too_large`
 */
export function checkTexts(texts: [field: string, text: string][], limits: RequestLimits): void {
  for (const [field, text] of texts) {
    if (text.includes(NUL)) throw nul(field)
  }
  const bytes = texts.reduce((sum, [, text]) => sum + Buffer.byteLength(text), 0)
  if (bytes > limits.text) {
    throw new AppError('payload_too_large', `The text of the request is over ${limits.text} bytes.`)
  }
}

/**
 * @param files with the field that each stands in
 * @param all how an answer calls them together
 * @throws AppError `validation_error` for the character NUL, `payload_too_large`
 */
export function checkFiles(
  files: [field: string, file: NewAttachment][],
  all: string,
  limits: RequestLimits,
): void {
  let bytes = 0
  for (const [field, { content_base64: base64 }] of files) {
    if (base64.includes(NUL)) throw nul(`${field}.content_base64`)
    bytes += decodedLength(base64)
  }
  if (bytes > limits.attachment) {
    throw new AppError('payload_too_large', `${all} holds over ${limits.attachment} bytes.`)
  }
}

/** The texts of a file, for {@link checkTexts}. */
export function textsOfFile(field: string, file: NewAttachment | undefined): [field: string, text: string][] {
  return [
    [`${field}.filename`, file?.filename ?? ''],
    [`${field}.content_type`, file?.content_type ?? ''],
  ]
}

/** The schema's fields and no others, with lone surrogates as U+FFFD, as the database will hold them. */
export function pickFile(file: NewAttachment): NewAttachment {
  return {
    filename: file.filename.toWellFormed(),
    content_base64: file.content_base64,
    ...(file.content_type === undefined ? {} : { content_type: file.content_type.toWellFormed() }),
  }
}

function nul(field: string): AppError {
  return new AppError('validation_error', `${field} must not contain the character NUL.`)
}

/** Bytes that strict base64 of this length decodes to; what is not strict is refused when it is decoded. */
function decodedLength(base64: string): number {
  const padding = base64.endsWith('==') ? 2 : base64.endsWith('=') ? 1 : 0
  return Math.floor(base64.length / 4) * 3 - padding
}
