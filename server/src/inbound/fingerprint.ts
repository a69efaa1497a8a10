import { createHash } from 'node:crypto'
import type { ReadMail } from './reading/read-mail.ts'

/**
 * By what two mails are one: Message-ID, proven author and body. Whoever forges the first two of somebody else's mail
 * has another fingerprint, since their author is not proven. Without a Message-ID nothing tells two of the same text
 * apart, so such a mail is nobody's duplicate.
 * @returns 32 bytes; null: it has none
 */
export function fingerprintOf({ messageId, authentication, bodyDigest }: ReadMail): Buffer | null {
  if (messageId === null) return null
  const author = authentication.passed ? authentication.address : null
  const parts = JSON.stringify([messageId, author, bodyDigest.toString('hex')])
  return createHash('sha256').update('bellhop mail').update(parts).digest()
}
