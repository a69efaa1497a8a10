import type { DeskConfig } from '../config.ts'

/** The domain of a desk's Message-IDs: that of its `from`; null where the desk is no mailbox. */
export function mailDomain(desk: DeskConfig): string | null {
  if (desk.connector !== 'smtp') return null
  return desk.from.address.slice(desk.from.address.lastIndexOf('@') + 1)
}

/**
 * The RFC 5322 Message-ID of a message, the same on every attempt.
 * @param messageId `msg_…`
 */
export function mailMessageId(desk: DeskConfig, messageId: string): string | null {
  const domain = mailDomain(desk)
  return domain === null ? null : `<${messageId}@${domain}>`
}
