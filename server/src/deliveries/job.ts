import type { BlobFolder } from '../blobs/blob-folder.ts'
import type { OutgoingAttachment, OutgoingMessage } from '../connectors/connector.ts'
import { toId } from '../ids.ts'
import { comparableAddress } from '../mail/address.ts'
import type { ClaimedDelivery, Lease } from './delivery.store.ts'

/** A delivery whose lease this process holds, with what there is to carry. */
export type Job = Lease & {
  message: OutgoingMessage
  /** Attempts before an operator had it tried again, from which on the back-off counts; 0 where nobody had. */
  retriedAfter: number
  /** Why nothing is sent, whatever would be answered: the code of the attempt; null: it is sent. */
  refused: 'address_bounced' | 'recipient_removed' | null
}

/** The type that an attachment is sent and shown with: the declared one, else the detected one. */
export function contentTypeOf(declared: string | null, detected: string | null): string {
  return declared ?? detected ?? 'application/octet-stream'
}

/** What is kept of a message and of its delivery, with the database's ids. */
export type KeptMessage = Omit<
  OutgoingMessage,
  'requester' | 'speaker' | 'thread' | 'attachments' | 'deliveryId' | 'ticketId' | 'messageId'
> & {
  deliveryId: string
  ticketId: string
  messageId: string
  requesterEmail: string
  requesterName: string | null
  speakerKind: OutgoingMessage['speaker']['kind']
  speakerName: string | null
  /** Message-IDs, the oldest first. */
  thread: string[]
}

/** What an outlet gets: the same to the byte, whether the accepting process sends it or a worker. */
export function toOutgoing(kept: KeptMessage, attachments: OutgoingAttachment[]): OutgoingMessage {
  return {
    deliveryId: toId('dlv', kept.deliveryId),
    side: kept.side,
    kind: kept.kind,
    recipient: kept.recipient,
    brandId: kept.brandId,
    ticketId: toId('tkt', kept.ticketId),
    messageId: toId('msg', kept.messageId),
    first: kept.first,
    personId: kept.personId,
    requester: { email: kept.requesterEmail, name: kept.requesterName },
    unverified: kept.unverified,
    speaker: { kind: kept.speakerKind, name: kept.speakerName },
    subject: kept.subject,
    body: kept.body,
    html: kept.html,
    status: kept.status,
    ticketStatus: kept.ticketStatus,
    createdAt: kept.createdAt,
    mailMessageId: kept.mailMessageId,
    thread: { inReplyTo: kept.thread.at(-1) ?? null, references: kept.thread },
    attachments,
  }
}

/** A claimed row as the work to do; an attachment's bytes are read only when they are sent. */
export function toJob(row: ClaimedDelivery, blobs: BlobFolder): Job {
  return {
    brandId: row.brandId,
    deliveryId: row.deliveryId,
    attempt: row.attempt,
    retriedAfter: row.retriedAfter,
    refused: refusalOf(row),
    message: toOutgoing(
      row,
      row.attachments.map((file) => ({
        attachmentId: toId('att', file.id),
        filename: file.filename,
        contentType: contentTypeOf(file.declared_type, file.detected_type),
        size: file.size,
        sha256: file.sha256,
        read: () => blobs.read(file.sha256),
      })),
    ),
  }
}

/**
 * Mail goes to no address that refused it for good, and to nobody who was taken off the ticket, or has another address
 * there, since the mail was promised.
 */
function refusalOf(row: ClaimedDelivery): Job['refused'] {
  if (row.side === 'desk' || row.recipient === null) return null
  if (row.bounced) return 'address_bounced'
  return isForNobody(row) ? 'recipient_removed' : null
}

/** Whether a mail is for an address that is nobody's of its ticket. */
export function isForNobody({
  side,
  recipient,
  participates,
  requesterEmail,
}: Pick<ClaimedDelivery, 'side' | 'recipient' | 'participates' | 'requesterEmail'>): boolean {
  if (side === 'desk' || recipient === null) return false
  return !participates && recipient !== comparableAddress(requesterEmail)
}
