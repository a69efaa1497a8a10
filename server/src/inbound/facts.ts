import type { Brand } from '../config.ts'
import type { Executor } from '../database/pool.ts'
import { sameAddress } from '../mail/acknowledgement.ts'
import { comparableAddress } from '../mail/address.ts'
import { type ReplySide, readReplyAddress, type SignedReply } from '../mail/reply-address.ts'
import {
  type FoundDelivery,
  findDeliveries,
  findLastTo,
  findOwnMails,
  isTaken,
  type PointedTicket,
  readPointedTickets,
} from './facts.store.ts'
import { brandAddresses, readOwnMessageId } from './own-mail.ts'
import type { ReadMail } from './reading/read-mail.ts'
import type { BounceFacts, Facts, TicketFacts } from './settle.ts'
import { isAgent, speakerOf } from './speakers.ts'

/** Signed addresses of one mail that are looked at; a mail that a person answers has one. */
const MOST_SIGNED = 20
/** Seconds after which a mail server has given up on a mail, and whoever says so later silences no address. */
const BOUNCES_WITHIN = 14 * 24 * 60 * 60

/** What a brand knows of itself that decides what becomes of a mail. */
export type FactsBrand = Pick<Brand, 'id' | 'desk' | 'mail' | 'reply' | 'inbound'>

/** What the mail brings along beside what it says. */
export type Circumstances = {
  fingerprint: Buffer | null
  isTooLong: boolean
  mayWait: boolean
}

/** Reads what is known beside a mail, within its brand. */
export async function readFacts(
  sql: Executor,
  brand: FactsBrand,
  mail: ReadMail,
  { fingerprint, isTooLong, mayWait }: Circumstances,
): Promise<Facts> {
  const sender = senderOf(mail)
  const isOfDesk = isAgent(brand.desk, mail.authentication)
  const signed = signedAddresses(brand, mail)
  const named = await readNamed(sql, brand.id, mail, sender)
  const ids = new Set([...signed.map(({ ticketId }) => ticketId), ...named.map(({ ticketId }) => ticketId)])
  const pointed = await readPointedTickets(sql, brand.id, [...ids], sender)
  const valid = signed.filter((address) => holds(brand, address, pointed, sender))
  const tickets: TicketFacts[] = []
  for (const ticket of pointed) {
    const pointers = { signed: sidesOf(valid, ticket), named: sidesOf(named, ticket) }
    // Only an address that does not hold pointed here.
    if (pointers.signed.size === 0 && pointers.named.size === 0) continue
    const { ticketId, isClosed, isFull, lately } = ticket
    const name = mail.from?.name ?? null
    const speaker =
      sender === null ? null : speakerOf(ticket, pointers, { address: sender, name, isAgent: isOfDesk })
    tickets.push({ ticketId, isClosed, isFull, lately, speaker })
  }
  const addresses = brandAddresses(brand)
  const own = mail.messageId === null ? null : readOwnMessageId(mail.messageId)
  return {
    isTaken: fingerprint !== null && (await isTaken(sql, brand.id, fingerprint)),
    isOwn: own !== null && (await findDeliveries(sql, brand.id, [own])).length > 0,
    isTooLong,
    mayWait,
    bounceOf: await readBounced(sql, brand.id, mail, valid),
    tickets,
    hasBadAddress: valid.length < signed.length,
    // A brand that names no address of its own takes whatever is brought as sent to it.
    isToBrand:
      addresses.length === 0 || mail.recipients.some((address) => addresses.includes(address.toLowerCase())),
    isFromBrand: sender !== null && addresses.includes(sender.toLowerCase()),
    acceptsNew: brand.inbound?.acceptNew ?? false,
  }
}

/** Whose mail it says it is, in the form in which addresses are compared. */
export function senderOf({ authentication, from }: ReadMail): string | null {
  const address = authentication.address ?? from?.address ?? null
  return address === null || from === null ? null : comparableAddress(address)
}

function signedAddresses({ id, reply }: FactsBrand, { recipients }: ReadMail): SignedReply[] {
  if (reply === null) return []
  return recipients
    .map((address) => readReplyAddress(reply, { brandId: id, address }))
    .filter((address) => address !== null)
    .slice(0, MOST_SIGNED)
}

/** A signed address holds for whom a mail of its ticket went, or may have gone, on its side. */
function holds(
  { desk }: FactsBrand,
  { ticketId, side, verify }: SignedReply,
  tickets: PointedTicket[],
  sender: string | null,
): boolean {
  const ticket = tickets.find((one) => one.ticketId === ticketId)
  if (ticket === undefined) return false
  if (side === 'desk') return desk.connector === 'smtp' && verify(desk.to.address)
  const { requesterEmail, participants, recipients } = ticket
  const people = [requesterEmail, ...participants.map(({ address }) => address), ...recipients]
  return [...people, ...(sender === null ? [] : [sender])].some(verify)
}

type Named = { ticketId: string; side: ReplySide }

async function readNamed(
  sql: Executor,
  brandId: string,
  { inReplyTo, references }: ReadMail,
  sender: string | null,
): Promise<Named[]> {
  const ids = [...new Set([...inReplyTo, ...references])]
  const own = ids.map(readOwnMessageId).filter((id) => id !== null)
  const others = ids.filter((id) => readOwnMessageId(id) === null)
  const found: Named[] = await findDeliveries(sql, brandId, own)
  return sender === null ? found : [...found, ...(await findOwnMails(sql, brandId, others, sender))]
}

function sidesOf(pointers: Named[], { ticketId }: PointedTicket): Set<ReplySide> {
  return new Set(pointers.filter((pointer) => pointer.ticketId === ticketId).map(({ side }) => side))
}

/**
 * Which delivery a bounce is of: by the Message-ID of the mail that came back, or that a mail server answers, else by a
 * signed address that it was sent to, for the address that took no mail. What a person answers did arrive.
 *
 * Bounces prove nothing of who sends them. To forge one takes the Message-ID of one delivery, 74 random bits that only
 * whoever got that mail has seen, or of a desk's mail whoever filed its ticket; or the address that was signed for its
 * recipient. To silence an address with it takes that address, too, within two weeks. So nobody can silence somebody
 * else whose mail they have not seen.
 */
async function readBounced(
  sql: Executor,
  brandId: string,
  { bounce, inReplyTo, references }: ReadMail,
  valid: SignedReply[],
): Promise<BounceFacts | null> {
  if (bounce === null) return null
  const answered = bounce.isOfServer ? [...inReplyTo, ...references.toReversed()] : []
  const ids = [bounce.originalMessageId, ...answered]
  const own = ids.map((id) => (id === null ? null : readOwnMessageId(id))).filter((id) => id !== null)
  const [byId] = await findDeliveries(sql, brandId, own)
  const found = byId ?? (await findByAddress(sql, brandId, bounce.recipient, valid))
  if (found === null) return null
  return { deliveryId: found.deliveryId, isOfRecipient: isOfRecipient(found, bounce.recipient) }
}

async function findByAddress(
  sql: Executor,
  brandId: string,
  recipient: string | null,
  valid: SignedReply[],
): Promise<FoundDelivery | null> {
  const address = recipient === null ? undefined : valid.find(({ verify }) => verify(recipient))
  if (recipient === null || address === undefined) return null
  return await findLastTo(sql, brandId, address.ticketId, comparableAddress(recipient))
}

function isOfRecipient({ side, recipient, age }: FoundDelivery, bounced: string | null): boolean {
  if (side !== 'customer' || recipient === null || bounced === null) return false
  return sameAddress(recipient, bounced) && age < BOUNCES_WITHIN
}
