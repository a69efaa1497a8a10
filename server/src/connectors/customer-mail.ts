import type { Brand, BrandMail } from '../config.ts'
import { fromId } from '../ids.ts'
import { removeSignedAddresses, signReplyAddress } from '../mail/reply-address.ts'
import { bareSubject } from '../mail/subject.ts'
import { type TemplateValues, writeMail } from '../mail/templates.ts'
import type { OutgoingMessage } from './connector.ts'
import { readAttachments } from './mail-content.ts'
import type { Mail } from './mail-message.ts'

/** What of a brand decides how its mail to a customer reads. */
export type MailingBrand = Pick<
  Brand,
  'id' | 'name' | 'reply' | 'inbound' | 'private' | 'ticketUrl' | 'templates'
> & { mail: BrandMail }

/**
 * A mail to a customer: that the request came, an answer, or that there is one.
 *
 * A private mail says nothing of what was said: neither subject, body, file nor anybody's name, and it follows no
 * mail that would say so. A brand that has become private since the delivery was promised gets the notice, too.
 */
export async function customerMail(brand: MailingBrand, message: OutgoingMessage): Promise<Mail> {
  const isPrivate = brand.private || message.kind === 'notice'
  const kind =
    message.kind === 'acknowledgement' ? 'acknowledgement' : isPrivate ? 'notice' : ('message' as const)
  const recipient = message.recipient ?? message.requester.email
  const { subject, text, html } = writeMail(kind, brand.templates, valuesOf(brand, message, isPrivate))
  return {
    from: brand.mail.from,
    to: { name: '', address: recipient },
    replyTo: replyTo(brand, message, recipient),
    subject,
    body: text,
    html,
    messageId: message.mailMessageId ?? `<${message.deliveryId}@${domainOf(brand.mail)}>`,
    thread: isPrivate ? { inReplyTo: null, references: [] } : message.thread,
    autoSubmitted: AUTO_SUBMITTED[kind],
    ticketId: isPrivate ? null : message.ticketId,
    date: message.createdAt,
    attachments: kind === 'message' ? await readAttachments(message.attachments) : [],
  }
}

/** An answer is a person's; a notice of one is written by us, and no machine is to answer it (RFC 3834). */
const AUTO_SUBMITTED = {
  acknowledgement: 'auto-replied',
  message: null,
  notice: 'auto-generated',
} as const

function valuesOf(brand: MailingBrand, message: OutgoingMessage, isPrivate: boolean): TemplateValues {
  const { ticketId } = message
  const shared = {
    brand: brand.name,
    link: brand.ticketUrl?.replaceAll('{ticket_id}', ticketId) ?? '',
    reply: brand.reply !== null || brand.inbound !== null,
    private: isPrivate,
  }
  if (isPrivate) return { ...shared, name: '', subject: '', body: '', author: '', ticket: '' }
  return {
    ...shared,
    name: oneLine(message.requester.name ?? ''),
    subject: oneLine(cleared(brand, bareSubject(message.subject))),
    body: message.kind === 'message' ? cleared(brand, message.body).trimEnd() : '',
    author: message.kind === 'message' ? authorOf(message) : '',
    ticket: ticketId,
  }
}

/** The name of who said it; an agent's mail program may have put the address there, which is never shown. */
function authorOf({ speaker }: OutgoingMessage): string {
  const name = oneLine(speaker.name ?? '').trim()
  return name.includes('@') ? '' : name
}

/** A mail that was quoted may hold an address that was signed for somebody else. */
function cleared({ reply }: MailingBrand, text: string): string {
  return reply === null ? text : removeSignedAddresses([reply], text)
}

function replyTo({ id, reply, mail }: MailingBrand, message: OutgoingMessage, recipient: string) {
  const ticketId = fromId('tkt', message.ticketId)
  if (reply === null || ticketId === null) return null
  const address = signReplyAddress(reply, { brandId: id, ticketId, side: 'customer', recipient })
  // The name of From, so that whoever answers sees whom they write to and not the signature.
  return { name: mail.from.name, address }
}

function oneLine(text: string): string {
  return text.replace(/\s+/g, ' ')
}

function domainOf({ from }: BrandMail): string {
  return from.address.slice(from.address.lastIndexOf('@') + 1)
}
