import type { BlobFolder } from '../blobs/blob-folder.ts'
import type { OutgoingMessage } from '../connectors/connector.ts'
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

/** A claimed row as the work to do; an attachment's bytes are read only when they are sent. */
export function toJob(row: ClaimedDelivery, blobs: BlobFolder): Job {
  return {
    brandId: row.brandId,
    deliveryId: row.deliveryId,
    attempt: row.attempt,
    retriedAfter: row.retriedAfter,
    message: {
      brandId: row.brandId,
      ticketId: toId('tkt', row.ticketId),
      messageId: toId('msg', row.messageId),
      personId: row.personId,
      requester: { email: row.requesterEmail, name: row.requesterName },
      subject: row.subject,
      body: row.body,
      createdAt: row.createdAt,
      mailMessageId: row.mailMessageId,
      attachments: row.attachments.map((file) => ({
        attachmentId: toId('att', file.id),
        filename: file.filename,
        contentType: contentTypeOf(file.declared_type, file.detected_type),
        size: file.size,
        sha256: file.sha256,
        read: () => blobs.read(file.sha256),
      })),
    },
  }
}
