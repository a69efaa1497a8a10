import type { BrandReply, Mailbox, SmtpDesk } from '../config.ts'
import { fromId } from '../ids.ts'
import { MARKER } from '../mail/marker.ts'
import { removeSignedAddresses, signReplyAddress } from '../mail/reply-address.ts'
import { answerSubject } from '../mail/subject.ts'
import type { OutgoingMessage, Thread } from './connector.ts'
import { readAttachments } from './mail-content.ts'
import type { Mail } from './mail-message.ts'

/**
 * The mails that a mailbox desk gets.
 *
 * Where agents answer the requester themselves, the first message is the mail that the manual shows, byte for byte.
 * Where the conversation goes through us, the answer must come back to us, so Reply-To is the desk's signed address
 * and the marker stands above what will be quoted; who wrote stands below it.
 */
export async function deskMail(
  desk: SmtpDesk,
  reply: BrandReply | null,
  message: OutgoingMessage,
): Promise<Mail> {
  const through = desk.conversation === 'through' ? reply : null
  if (message.kind === 'returned') return returnedMail(desk, through, message)
  return {
    from: desk.from,
    to: desk.to,
    replyTo: through === null ? requesterOf(message) : signed(through, desk, message),
    subject: message.first ? message.subject : answerSubject(message.subject),
    body: through === null ? directBody(message, reply) : throughBody(message, through),
    html: null,
    messageId: messageIdOf(desk, message),
    thread: message.first ? NO_THREAD : message.thread,
    autoSubmitted: 'auto-generated',
    ticketId: message.ticketId,
    date: message.createdAt,
    attachments: await readAttachments(message.attachments),
  }
}

const NO_THREAD: Thread = { inReplyTo: null, references: [] }

function requesterOf({ requester }: OutgoingMessage): Mailbox {
  return { name: requester.name ?? '', address: requester.email }
}

function signed(reply: BrandReply, desk: SmtpDesk, message: OutgoingMessage): Mailbox {
  const ticketId = fromId('tkt', message.ticketId)
  if (ticketId === null) throw new Error('An outgoing message names its ticket in another form.')
  const recipient = desk.to.address
  return {
    name: message.speaker.name ?? message.requester.name ?? '',
    address: signReplyAddress(reply, { brandId: message.brandId, ticketId, side: 'desk', recipient }),
  }
}

/** The first message is carried as it is; later ones may quote a mail with an address that is another's. */
function bodyOf({ first, body }: OutgoingMessage, reply: BrandReply | null): string {
  return first || reply === null ? body : removeSignedAddresses([reply], body)
}

/** What an agent must know who is asked for something by somebody who may be anybody. */
const UNVERIFIED = 'Not verified: nothing proves that this is from the address that it names.'

function directBody(message: OutgoingMessage, reply: BrandReply | null): string {
  const body = bodyOf(message, reply)
  return message.unverified ? `${body.trimEnd()}\n\n-- \n${UNVERIFIED}\n` : body
}

function throughBody(message: OutgoingMessage, reply: BrandReply): string {
  const { requester, speaker, ticketId } = message
  const name = speaker.name ?? (speaker.kind === 'customer' ? requester.name : null)
  // A participant's own address is not the requester's, and is not known here.
  const address = speaker.kind === 'customer' ? `<${requester.email}>` : null
  const from = [name, address].filter((part) => part !== null).join(' ')
  const unverified = message.unverified ? UNVERIFIED : ''
  const signature = [from, unverified, ticketId].filter((part) => part !== '').join('\n')
  return `${MARKER}\n\n${bodyOf(message, reply).trimEnd()}\n\n-- \n${signature}\n`
}

/** To the agent whose answer waits: nothing of it has reached the customer. */
function returnedMail(desk: SmtpDesk, through: BrandReply | null, message: OutgoingMessage): Mail {
  return {
    from: desk.from,
    to: { name: '', address: message.recipient ?? desk.to.address },
    replyTo: through === null ? null : signed(through, desk, message),
    subject: answerSubject(message.subject),
    body: `${through === null ? '' : `${MARKER}\n\n`}Your answer was not sent to the customer.

We could not tell with certainty which part of your mail is new. It is kept on the ticket and waits there.

Please answer the customer's mail once more: write your text at the top, above the line
"${MARKER}", and send it as plain text if you can. Whoever operates the desk can release the kept one, too.

${message.ticketId}
`,
    html: null,
    messageId: messageIdOf(desk, message),
    thread: message.thread,
    autoSubmitted: 'auto-replied',
    ticketId: message.ticketId,
    date: message.createdAt,
    attachments: [],
  }
}

function messageIdOf(desk: SmtpDesk, message: OutgoingMessage): string {
  const id = message.kind === 'message' ? message.messageId : message.deliveryId
  return message.mailMessageId ?? `<${id}@${desk.from.address.slice(desk.from.address.lastIndexOf('@') + 1)}>`
}
