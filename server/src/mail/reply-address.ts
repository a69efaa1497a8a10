import { createHmac, timingSafeEqual } from 'node:crypto'
import type { BrandReply } from '../config.ts'
import { fromBase32, toBase32 } from './base32.ts'

/**
 * The address that an answer comes back to: `support+<tag>@acme.example`. The tag says which ticket it is and whose
 * side may answer there, and is signed for the one address that the mail went to. It proves that a mail of ours was
 * answered; who answers is proven by the mail itself.
 *
 * | bytes of the tag | |
 * | --- | --- |
 * | 16 | the ticket's UUID |
 * | 1 | the side (highest bit) and which key signed (seven bits) |
 * | 10 | the first 80 bits of HMAC-SHA-256 over brand, ticket, side and recipient |
 */
export type ReplySide = 'desk' | 'customer'

export type ReplyTo = {
  brandId: string
  /** With dashes. */
  ticketId: string
  side: ReplySide
  /** Whom the mail goes to. The case of its letters does not count. */
  recipient: string
}

export type SignedReply = {
  /** With dashes. */
  ticketId: string
  side: ReplySide
  /** Whether this address was signed for a mail that went to this recipient. */
  verify(recipient: string): boolean
}

const SIGNATURE_BYTES = 10
const TAG_BYTES = 16 + 1 + SIGNATURE_BYTES
const TAG_LENGTH = Math.ceil((TAG_BYTES * 8) / 5)
const TAG = `[a-z2-7]{${TAG_LENGTH}}`
const ANY_TAG = new RegExp(TAG, 'i')
const DESK_BIT = 0x80
/** RFC 5321, section 4.5.3.1.1: octets of a local part, of which the tag and the plus sign take theirs. */
const LOCAL_PART = 64
export const REPLY_LOCAL_LIMIT = LOCAL_PART - 1 - TAG_LENGTH

/** The address to put into Reply-To; the newest key signs. */
export function signReplyAddress(reply: BrandReply, to: ReplyTo): string {
  const [key] = reply.keys
  if (key === undefined) throw new Error('A reply address needs a key.')
  const head = Buffer.alloc(17)
  head.write(to.ticketId.replaceAll('-', ''), 'hex')
  head[16] = (to.side === 'desk' ? DESK_BIT : 0) | hintOf(key)
  const tag = toBase32(Buffer.concat([head, sign(key, to)]))
  return `${reply.local}+${tag}@${reply.domain}`
}

/**
 * Reads an address that a mail was sent to. Upper and lower case do not count, since mail servers change them.
 * @returns null where it is no signed address of this brand in form; what it says holds only once `verify` said so
 */
export function readReplyAddress(
  reply: BrandReply,
  { brandId, address }: { brandId: string; address: string },
): SignedReply | null {
  const prefix = `${reply.local}+`.toLowerCase()
  const suffix = `@${reply.domain}`.toLowerCase()
  const text = address.toLowerCase()
  if (text.length !== prefix.length + TAG_LENGTH + suffix.length) return null
  if (!text.startsWith(prefix) || !text.endsWith(suffix)) return null
  const bytes = fromBase32(text.slice(prefix.length, prefix.length + TAG_LENGTH))
  const kind = bytes?.[16]
  if (bytes === null || kind === undefined) return null
  const ticketId = bytes.toString('hex', 0, 16).replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5')
  const side: ReplySide = (kind & DESK_BIT) === 0 ? 'customer' : 'desk'
  const keys = reply.keys.filter((key) => hintOf(key) === (kind & ~DESK_BIT))
  const signature = bytes.subarray(17)
  return {
    ticketId,
    side,
    verify: (recipient) =>
      keys.some((key) => timingSafeEqual(sign(key, { brandId, ticketId, side, recipient }), signature)),
  }
}

/**
 * The text with the plain address in place of each signed one, however the `+` and the `@` are written there: in a
 * link, or a link within one, in HTML, quoted-printable, or as they are. What goes to one person must not hold what
 * was signed for another.
 */
export function removeSignedAddresses(replies: BrandReply[], text: string): string {
  // Most texts have none, and there may be many brands.
  if (!ANY_TAG.test(text)) return text
  return replies.reduce((left, reply) => removeThoseOf(reply, left), text)
}

function removeThoseOf(reply: BrandReply, text: string): string {
  const local = literally(reply.local)
  const domain = literally(reply.domain)
  const plus = '(?:\\+|(?:%(?:25){0,9}|=)2b|&(?:amp;)?(?:#0{0,9}43|#x0{0,9}2b|plus);)'
  const at = '(?:@|(?:%(?:25){0,9}|=)40|&(?:amp;)?(?:#0{0,9}64|#x0{0,9}40|commat);)'
  return text.replace(new RegExp(`(${local})${plus}${TAG}(${at}${domain})?`, 'gi'), '$1$2')
}

function literally(text: string): string {
  return text.replace(/[^A-Za-z0-9]/g, '\\$&')
}

/** Seven bits that tell keys apart and say nothing of them. */
function hintOf(key: Buffer): number {
  return (createHmac('sha256', key).update('bellhop reply key').digest()[0] ?? 0) & ~DESK_BIT
}

function sign(key: Buffer, { brandId, ticketId, side, recipient }: ReplyTo): Buffer {
  // JSON keeps the four apart, whatever is in them.
  const signed = JSON.stringify(['bellhop reply address', brandId, ticketId, side, recipient.toLowerCase()])
  return createHmac('sha256', key).update(signed).digest().subarray(0, SIGNATURE_BYTES)
}
