import type { Brand } from '../config.ts'
import { fromId } from '../ids.ts'

/** A Message-ID as ours are made: of a message, or of a delivery. Whether it is ours, the database says. */
export type OwnMessageId = { mailId: string; messageId: string | null; deliveryId: string | null }

/** Reads a Message-ID with its brackets; null where ours have another form. */
export function readOwnMessageId(mailId: string): OwnMessageId | null {
  const id = /^<((?:msg|dlv)_[0-9a-f]{32})@[^<>\s]+>$/.exec(mailId)?.[1]
  if (id === undefined) return null
  return { mailId, messageId: fromId('msg', id), deliveryId: fromId('dlv', id) }
}

/** The addresses that a brand's customers write to, as its settings name them; lower-case. */
export function brandAddresses({
  mail,
  reply,
  inbound,
}: Pick<Brand, 'mail' | 'reply' | 'inbound'>): string[] {
  const addresses: string[] = []
  if (mail !== null) addresses.push(mail.from.address)
  if (reply !== null) addresses.push(`${reply.local}@${reply.domain}`)
  // Many a mailbox is logged into by its address.
  if (inbound?.imap?.user.includes('@')) addresses.push(inbound.imap.user)
  return addresses.map((address) => address.toLowerCase())
}
