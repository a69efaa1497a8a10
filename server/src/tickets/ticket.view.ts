import type { Attachment, Message, Receipt, Ticket } from '@bellhop/contract'
import type { DeliveryState } from '../deliveries/delivery.store.ts'
import { contentTypeOf } from '../deliveries/job.ts'
import { AppError } from '../errors.ts'
import { toId } from '../ids.ts'
import type { Accepted } from './ticket.service.ts'
import type { AttachmentRow, MessageRow, TicketRow } from './ticket.store.ts'

/**
 * The answer to a ticket that is kept.
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

/** A ticket as its owner sees it. */
export function toTicket(row: TicketRow, messages: MessageRow[], attachments: AttachmentRow[]): Ticket {
  return {
    ticket_id: toId('tkt', row.ticketId),
    brand_id: row.brandId,
    person_id: row.personId,
    subject: row.subject,
    status: row.status,
    created_at: row.createdAt.toISOString(),
    updated_at: row.updatedAt.toISOString(),
    messages: messages.map((message) => toMessage(message, attachments)),
  }
}

function toMessage(row: MessageRow, attachments: AttachmentRow[]): Message {
  return {
    message_id: toId('msg', row.messageId),
    author: row.author,
    body: row.body,
    created_at: row.createdAt.toISOString(),
    status: toStatus(row.state),
    attachments: attachments.filter((file) => file.messageId === row.messageId).map(toAttachment),
  }
}

/** A dead delivery is still `requested`: nobody refused it, and the operator may have it tried again. */
function toStatus(state: DeliveryState | null): Message['status'] {
  if (state === 'rejected') return 'rejected'
  return state === 'delivered' || state === null ? 'sent' : 'requested'
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
