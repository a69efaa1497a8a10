import type {
  Attachment,
  DeliveryReceipt,
  Message,
  Receipt,
  Speaker,
  Ticket,
  TicketSummary,
} from '@bellhop/contract'
import { contentTypeOf } from '../deliveries/job.ts'
import { AppError } from '../errors.ts'
import { toId } from '../ids.ts'
import type { OwnedRow } from './own-ticket.ts'
import type { Accepted } from './ticket.service.ts'
import type { AttachmentRow, DeliveryRow, MessageRow } from './ticket.store.ts'
import type { ListedRow } from './ticket-list.store.ts'

/**
 * The answer to a ticket or a message that is kept.
 * @throws AppError `upstream_error` where the desk refused it for good
 */
export function toReceipt({ ticketId, messageId, state }: Accepted): Receipt {
  if (state === 'rejected') {
    throw new AppError(
      'upstream_error',
      'The desk refused the ticket for good; it is kept for the operator to see.',
    )
  }
  return {
    ticket_id: toId('tkt', ticketId),
    message_id: toId('msg', messageId),
    status: state === 'delivered' ? 'sent' : 'requested',
  }
}

export function toSummary(row: Omit<ListedRow, 'movedAt'>): TicketSummary {
  return {
    ticket_id: toId('tkt', row.ticketId),
    brand_id: row.brandId,
    person_id: row.personId,
    subject: row.subject,
    status: row.status,
    created_at: row.createdAt.toISOString(),
    updated_at: row.updatedAt.toISOString(),
  }
}

/** A ticket as its owner sees it. */
export function toTicket(row: OwnedRow, messages: MessageRow[]): Ticket {
  return { ...toSummary(row), messages: messages.map((message) => toMessage(message, row)) }
}

function toMessage(row: MessageRow, ticket: OwnedRow): Message {
  return {
    message_id: toId('msg', row.messageId),
    author: row.author === 'customer' || row.author === 'participant' ? 'customer' : 'agent',
    speaker: toSpeaker(row, ticket),
    body: row.body,
    created_at: row.createdAt.toISOString(),
    status: toStatus(row.delivery),
    delivery: row.delivery && toDeliveryReceipt(row.delivery),
    attachments: row.attachments.map(toAttachment),
  }
}

function toSpeaker({ author, authorName }: MessageRow, { requesterName }: OwnedRow): Speaker {
  const name = author === 'customer' ? requesterName : authorName
  // Many a mail client writes the address where the name belongs.
  return { kind: author, name: name?.includes('@') && author !== 'customer' ? null : name }
}

/** A dead delivery is still `requested`: nobody refused it, and the operator may have it tried again. */
export function toStatus(delivery: Pick<DeliveryRow, 'state' | 'bouncedAt'> | null): Message['status'] {
  if (delivery === null) return 'sent'
  if (delivery.bouncedAt !== null || delivery.state === 'rejected') return 'rejected'
  return delivery.state === 'delivered' ? 'sent' : 'requested'
}

function toDeliveryReceipt(row: DeliveryRow): DeliveryReceipt {
  const { state } = row
  return {
    // Who holds a lease at the moment is no matter of the customer's.
    state: row.bouncedAt !== null ? 'bounced' : state === 'leased' ? 'pending' : state,
    attempts: row.attempts,
    last_attempt_at: row.lastAttemptAt?.toISOString() ?? null,
    delivered_at: state === 'delivered' ? (row.finishedAt?.toISOString() ?? null) : null,
  }
}

function toAttachment(row: AttachmentRow): Attachment {
  return {
    attachment_id: toId('att', row.attachmentId),
    filename: row.filename,
    content_type: contentTypeOf(row.declaredType, row.detectedType),
    size: row.size,
    sha256: row.sha256.toString('hex'),
  }
}
