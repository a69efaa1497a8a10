import type { BlobFolder } from '../blobs/blob-folder.ts'
import type { OutgoingAttachment, OutgoingMessage } from '../connectors/connector.ts'
import { toId } from '../ids.ts'
import type { ClaimedDelivery, Lease } from './delivery.store.ts'

/** A delivery whose lease this process holds, with what there is to carry. */
export type Job = Lease & {
  message: OutgoingMessage
  /** Attempts before an operator had it tried again, from which on the back-off counts; 0 where nobody had. */
  retriedAfter: number
}

/** The type that an attachment is sent and shown with: the declared one, else the detected one. */
export function contentTypeOf(declared: string | null, detected: string | null): string {
  return declared ?? detected ?? 'application/octet-stream'
}

/** What a desk gets of a message: the same to the byte, whether the accepting process sends it or a worker. */
export function toOutgoing(
  kept: Omit<OutgoingMessage, 'requester' | 'attachments'> & {
    requesterEmail: string
    requesterName: string | null
  },
  attachments: OutgoingAttachment[],
): OutgoingMessage {
  return {
    brandId: kept.brandId,
    ticketId: toId('tkt', kept.ticketId),
    messageId: toId('msg', kept.messageId),
    personId: kept.personId,
    requester: { email: kept.requesterEmail, name: kept.requesterName },
    subject: kept.subject,
    body: kept.body,
    createdAt: kept.createdAt,
    mailMessageId: kept.mailMessageId,
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
