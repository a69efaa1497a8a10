import type { BrandInbound, BrandMail, BrandReply, ImapMailbox } from './brands.ts'
import { inboundSecret } from './brands-mail-schema.ts'
import type { WrittenBrand } from './brands-schema.ts'
import { checked, mailboxOf } from './checked.ts'
import { readImapUrl } from './imap-url.ts'

/** @param dkimKey what its key_file holds */
export function mailOf(written: WrittenBrand['mail'], dkimKey: string | null): BrandMail | null {
  if (written === undefined) return null
  const { url, from, dkim } = written
  return {
    url,
    from: mailboxOf(from),
    dkim:
      dkim === undefined
        ? null
        : { domain: dkim.domain.toLowerCase(), selector: dkim.selector, key: checked(dkimKey) },
  }
}

export function replyOf(written: WrittenBrand['reply']): BrandReply | null {
  if (written === undefined) return null
  const [local, domain] = written.address.split('@')
  return {
    local: checked(local),
    domain: checked(domain).toLowerCase(),
    keys: written.keys.map((key) => Buffer.from(key, 'base64')),
  }
}

export function inboundOf(written: WrittenBrand['inbound']): BrandInbound | null {
  if (written === undefined) return null
  const { imap, secret, trusted_authserv_ids: trusted = [] } = written
  return {
    imap: imap === undefined ? null : imapOf(imap),
    secret: secret === undefined ? null : checked(inboundSecret(secret)),
    trustedAuthservIds: trusted.map((id) => id.toLowerCase()),
    acceptNew: written.accept_new ?? false,
  }
}

function imapOf(url: string): ImapMailbox {
  const mailbox = readImapUrl(url)
  return checked(Array.isArray(mailbox) ? null : mailbox)
}
