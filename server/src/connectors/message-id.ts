import type { BrandMail, DeskConfig, Mailbox } from '../config.ts'

/** The domain of a desk's Message-IDs: that of its `from`; null where the desk is no mailbox. */
export function mailDomain(desk: DeskConfig): string | null {
  return desk.connector === 'smtp' ? domainOf(desk.from) : null
}

/** The domain of the Message-IDs of mail to a brand's customers: that of its `from`. */
export function customerMailDomain(mail: BrandMail): string {
  return domainOf(mail.from)
}

/**
 * The RFC 5322 Message-ID of a message as the desk gets it, the same on every attempt.
 * @param messageId `msg_…`
 */
export function mailMessageId(desk: DeskConfig, messageId: string): string | null {
  const domain = mailDomain(desk)
  return domain === null ? null : `<${messageId}@${domain}>`
}

function domainOf({ address }: Mailbox): string {
  return address.slice(address.lastIndexOf('@') + 1)
}
