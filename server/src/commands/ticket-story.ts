import type {
  Story,
  StoryDelivery,
  StoryEntry,
  StoryFile,
  StoryMail,
  StoryMessage,
  TicketLine,
} from '../conversation/ticket.report.ts'
import { toId } from '../ids.ts'
import { toTime } from './table.ts'
import { onLines, onOneLine } from './terminal-text.ts'

/** A ticket with all that is kept of it. */
export type TicketStory = Story & {
  ticket: TicketLine
  /** Where the requester's mail reaches the ticket; null where the brand has no such address. */
  replyAddress: string | null
}

/** The whole story for a person at a terminal; what somebody else wrote cannot move its cursor. */
export function storyText(story: TicketStory): string {
  const { messages, mails, entries } = story
  const files = Map.groupBy(story.files, ({ messageId }) => messageId)
  const deliveries = Map.groupBy(story.deliveries, ({ messageId }) => messageId)
  const said = messages.map((message) => {
    const { messageId } = message
    const lines = [
      ...(files.get(messageId) ?? []).map(fileLine),
      ...(deliveries.get(messageId) ?? []).map(deliveryLine),
    ]
    return `\n${messageLine(message, story.ticket)}\n${wordsOf(message)}${lines.map((line) => `  ${line}\n`).join('')}`
  })
  const came =
    mails.length === 0 ? '' : `\nMail that came:\n${mails.map((mail) => `  ${mailLine(mail)}\n`).join('')}`
  const done = `\nWhat was done:\n${entries.map((entry) => `  ${entryLine(entry)}\n`).join('')}`
  return head(story) + said.join('') + came + done
}

function head({ ticket, replyAddress, participants, bounced }: TicketStory): string {
  const { requesterName, requesterEmail, addressProven, personId, issuer } = ticket
  const proven = addressProven ? '' : ' (not proven)'
  const facts: [string, string][] = [
    ['ticket', toId('tkt', ticket.ticketId)],
    ['status', ticket.status],
    ['subject', ticket.subject],
    ['brand', ticket.brandId],
    ['requester', `${nameAndAddress(requesterName, requesterEmail)}${proven}`],
    ['person', personId === null ? 'nobody yet: it came by mail' : `${personId} of ${issuer}`],
    ...participants.map(({ name, address }): [string, string] => [
      'participant',
      nameAndAddress(name, address),
    ]),
    ...bounced.map(({ address, code, bouncedAt }): [string, string] => [
      'no mail to',
      `${address}: ${code} at ${toTime(bouncedAt)} (bellhop ticket address)`,
    ]),
    ['reply address', replyAddress ?? '-'],
    ['created', toTime(ticket.createdAt)],
    ['moved', toTime(ticket.updatedAt)],
  ]
  return facts.map(([name, value]) => `${name.padEnd(14)}${onOneLine(value)}\n`).join('')
}

function messageLine(message: StoryMessage, { requesterName }: TicketLine): string {
  const { author, authorName, authorAddress, via, heldFor, automatic } = message
  const name = author === 'customer' ? requesterName : authorName
  const who = [
    author === 'note' ? 'NOTE, which no customer reads, of' : author,
    name ?? (author === 'note' ? 'an agent' : null),
    authorAddress === null ? null : `<${authorAddress}>`,
    `by ${via}`,
  ].filter((part) => part !== null)
  const id = toId('msg', message.messageId)
  const marks = [
    ...(heldFor === null ? [] : [`HELD (${heldFor}): ${nextOfHeld(message)}`]),
    ...(automatic ? ['AUTOMATIC, which no customer reads'] : []),
  ]
  return [id, toTime(message.createdAt), onOneLine(who.join(' ')), ...marks].join('  ')
}

/** What has no text of its own cannot be sent on. */
function nextOfHeld({ messageId, body }: StoryMessage): string {
  return body.trim() === ''
    ? 'answer by bellhop ticket reply'
    : `bellhop ticket release ${toId('msg', messageId)}`
}

/** Of what is held the whole text too: the newest part of it may be what is in doubt. */
function wordsOf({ body, wholeText, heldFor }: StoryMessage): string {
  const said = onLines(body, '  | ')
  if (heldFor === null || wholeText === null || wholeText === body) return said
  return `${said}  the whole mail:\n${onLines(wholeText, '  : ')}`
}

function fileLine({ attachmentId, filename, contentType, size }: StoryFile): string {
  const type = contentType ?? 'application/octet-stream'
  return `attachment ${toId('att', attachmentId)}  ${onOneLine(filename)}  ${onOneLine(type)}, ${size} bytes`
}

function deliveryLine(delivery: StoryDelivery): string {
  const { side, recipient, lastCode, lastAttemptAt, bouncedAt, bounceCode } = delivery
  const to = onOneLine(recipient ?? `the ${side}`)
  const attempts = `${delivery.attempts} ${delivery.attempts === 1 ? 'attempt' : 'attempts'}`
  const last = lastCode === null ? '' : `, the last ${lastCode} at ${toTime(lastAttemptAt)}`
  const bounced =
    bouncedAt === null ? '' : `; came back ${toTime(bouncedAt)}: ${onOneLine(bounceCode ?? '-')}`
  const state = `${delivery.state}, ${attempts}${last}${bounced}`
  return `${delivery.kind} ${toId('dlv', delivery.deliveryId)}  to ${to}: ${state}`
}

function mailLine(mail: StoryMail): string {
  const { settledAs, reason, authorAddress, authenticated, resolution } = mail
  const why = reason === null ? '' : ` (${reason})`
  const done = resolution === null ? '' : `, ${resolution}`
  const as = settledAs === null ? 'not settled yet' : `${settledAs}${why}${done}`
  const from =
    authorAddress === null ? '' : ` from ${authorAddress}${authenticated ? '' : ', not authenticated'}`
  return `${toId('inb', mail.mailId)}  ${toTime(mail.receivedAt)}  ${onOneLine(`by ${mail.way}${from}: ${as}`)}`
}

function entryLine({ at, actor, actorId, action, status, messageId }: StoryEntry): string {
  const who = actorId === null ? actor : `${actor} ${actorId}`
  const what = [action, status, messageId === null ? null : toId('msg', messageId)].filter(
    (part) => part !== null,
  )
  return `${toTime(at)}  ${onOneLine(who)}: ${what.join(' ')}`
}

function nameAndAddress(name: string | null, address: string): string {
  return name === null ? address : `${name} <${address}>`
}

/** The same for a program. */
export function storyJson(story: TicketStory): object {
  const { ticket, messages } = story
  const files = Map.groupBy(story.files, ({ messageId }) => messageId)
  const deliveries = Map.groupBy(story.deliveries, ({ messageId }) => messageId)
  return {
    ticket_id: toId('tkt', ticket.ticketId),
    brand_id: ticket.brandId,
    via: ticket.via,
    status: ticket.status,
    subject: ticket.subject,
    person_id: ticket.personId,
    requester: { email: ticket.requesterEmail, name: ticket.requesterName, proven: ticket.addressProven },
    participants: story.participants,
    bounced: story.bounced.map((one) => ({
      ...one,
      bouncedAt: undefined,
      bounced_at: one.bouncedAt.toISOString(),
    })),
    reply_address: story.replyAddress,
    created_at: ticket.createdAt.toISOString(),
    updated_at: ticket.updatedAt.toISOString(),
    messages: messages.map((message) => ({
      message_id: toId('msg', message.messageId),
      author: message.author,
      author_name: message.authorName,
      author_address: message.authorAddress,
      via: message.via,
      body: message.body,
      whole_text: message.wholeText,
      automatic: message.automatic,
      held_for: message.heldFor,
      inbound_id: message.inboundMailId === null ? null : toId('inb', message.inboundMailId),
      created_at: message.createdAt.toISOString(),
      attachments: (files.get(message.messageId) ?? []).map(fileJson),
      deliveries: (deliveries.get(message.messageId) ?? []).map(deliveryJson),
    })),
    mails: story.mails.map((mail) => ({
      inbound_id: toId('inb', mail.mailId),
      way: mail.way,
      received_at: mail.receivedAt.toISOString(),
      settled_as: mail.settledAs,
      reason: mail.reason,
      author_address: mail.authorAddress,
      authenticated: mail.authenticated,
      resolution: mail.resolution,
    })),
    done: story.entries.map((entry) => ({
      at: entry.at.toISOString(),
      actor: entry.actor,
      actor_id: entry.actorId,
      action: entry.action,
      status: entry.status,
      message_id: entry.messageId === null ? null : toId('msg', entry.messageId),
    })),
  }
}

function fileJson({ attachmentId, filename, contentType, size }: StoryFile): object {
  return { attachment_id: toId('att', attachmentId), filename, content_type: contentType, size }
}

function deliveryJson(delivery: StoryDelivery): object {
  return {
    delivery_id: toId('dlv', delivery.deliveryId),
    side: delivery.side,
    kind: delivery.kind,
    recipient: delivery.recipient,
    state: delivery.state,
    attempts: delivery.attempts,
    last_code: delivery.lastCode,
    last_attempt_at: delivery.lastAttemptAt?.toISOString() ?? null,
    bounced_at: delivery.bouncedAt?.toISOString() ?? null,
    bounce_code: delivery.bounceCode,
  }
}
