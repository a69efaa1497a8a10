import { createHash } from 'node:crypto'
import type { ReadMail } from './reading/read-mail.ts'

/**
 * By what two mails are one: Message-ID, proven author and body. Whoever forges the first two of somebody else's mail
 * has another fingerprint, since their author is not proven.
 *
 * Some programs write no Message-ID, and their mail is handed over twice as any other. In its place stands what the
 * sender wrote into the head: the date above all, which a copy keeps and the same words on another day do not have. Of
 * the fields that mail servers add none counts, since each copy has its own. Where there is no date either, nothing
 * tells two mails of the same text apart, and to say one twice is better than to lose one: it is nobody's duplicate.
 * @returns 32 bytes; null: it has none
 */
export function fingerprintOf({
  messageId,
  headDigest,
  authentication,
  bodyDigest,
}: ReadMail): Buffer | null {
  const id = messageId ?? headDigest
  if (id === null) return null
  const author = authentication.passed ? authentication.address : null
  const parts = JSON.stringify([id, author, bodyDigest.toString('hex')])
  return createHash('sha256').update('bellhop mail').update(parts).digest()
}
