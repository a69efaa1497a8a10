import { isMailbox } from '@bellhop/contract'
import type { ReadMail } from '../../../server/src/inbound/reading/read-mail.ts'

/** Milliseconds beyond the two seconds of work that a mail may take, on a machine that others share. */
const LATE_MS = 1000
export const WORK_MS = 2000
export const LIMIT_MS = WORK_MS + LATE_MS

/** HTML that would do something where it is shown. */
export const ACTIVE =
  '<\\s*/?(script|style|iframe|object|embed|form|svg|math|link|meta|base)\\M|<[a-z][^<>]*\\son[a-z]+\\s*=|<[a-z][^<>]*\\s(href|src)\\s*=\\s*["\']?\\s*(javascript|vbscript)\\s*:'
const ACTIVE_HERE = new RegExp(ACTIVE.replace('\\M', '\\b'), 'i')

/** What holds of every mail that was read. @returns what is wrong, and null where nothing is */
export function judgeReading(mail: ReadMail, raw: Buffer): string | null {
  if (mail.from !== null && !isMailbox(mail.from.address)) return 'its sender has no address'
  if (mail.from !== null && mail.fromFault !== null && mail.fromFault !== 'none')
    return 'it has a sender and a reason why not'
  if (mail.from === null && mail.authentication.passed) return 'nobody passed'
  if (/[\r\n]/.test(mail.subject)) return 'its subject is more than one line'
  if (mail.html !== null && ACTIVE_HERE.test(mail.html)) return 'its HTML would do something'
  const { attachments, bodyDigest: _digest, date: _date, ...words } = mail
  const types = attachments.map(({ declaredType }) => declaredType)
  if (textsIn([words, types]).some((text) => text.includes('\0') || !text.isWellFormed()))
    return 'its text cannot be stored'
  for (const { filename, bytes } of mail.attachments) {
    if (filename === '' || /[\0/\\]/.test(filename) || !filename.isWellFormed())
      return 'a file has a bad name'
    // Base64 and quoted-printable only shrink; uuencode and charsets are read as they are.
    if (bytes.length > raw.length * 4 + 1024) return 'a file is larger than the mail'
  }
  return null
}

/** Every text in a value, wherever it stands. */
function textsIn(value: unknown): string[] {
  if (typeof value === 'string') return [value]
  return typeof value === 'object' && value !== null ? Object.values(value).flatMap(textsIn) : []
}
