import type { Connector, OutgoingMessage } from '../connectors/connector.ts'
import { mailMessageId } from '../connectors/message-id.ts'
import { LEASE } from '../deliveries/delivery.store.ts'
import { contentTypeOf, toOutgoing } from '../deliveries/job.ts'
import { newUuid, toId } from '../ids.ts'
import { isAddressProven } from '../mail/acknowledgement.ts'
import { acknowledgementFor } from './acknowledgement.ts'
import type { ReadAttachment } from './attachment.ts'
import type { IdempotencyKeyRow, NewDeliveryRow, NewTicketRow } from './new-ticket.store.ts'
import type { Admitted } from './ticket.service.ts'

/** Who carries a new ticket: `holder` has a place for it at once, null where a worker will come to it. */
export type Carriage = { connector: Connector; holder: string | null }

/** An admitted request as the rows to keep. */
export function toRow(
  admitted: Admitted,
  file: ReadAttachment | null,
  key: IdempotencyKeyRow | null,
  carriage: Carriage,
): NewTicketRow {
  const { caller, brand, ticket, actor } = admitted
  const messageId = newUuid()
  const addressProven = isAddressProven({
    actor: actor.kind,
    claims: caller.claims,
    requesterEmail: ticket.requester_email,
  })
  return {
    brandId: brand.id,
    ticketId: newUuid(),
    messageId,
    issuer: caller.issuer,
    personId: ticket.person_id,
    requesterEmail: ticket.requester_email,
    requesterName: ticket.requester_name ?? null,
    addressProven,
    subject: ticket.subject,
    body: ticket.body,
    actor: actor.kind,
    actorId: actor.kind === 'client' ? actor.clientId : null,
    auditId: newUuid(),
    delivery: toDeliveryRow(mailMessageId(brand.desk, toId('msg', messageId)), carriage),
    acknowledgement: acknowledgementFor(brand, ticket.requester_email, addressProven),
    attachments: file === null ? [] : [toAttachmentRow(file)],
    key,
  }
}

function toDeliveryRow(mailMessageId: string | null, { connector, holder }: Carriage): NewDeliveryRow {
  const common = { deliveryId: newUuid(), connector: connector.name, mailMessageId }
  if (connector.atCommit) return { ...common, state: 'delivered', lockedBy: null, lease: 0 }
  if (holder === null) return { ...common, state: 'pending', lockedBy: null, lease: 0 }
  return { ...common, state: 'leased', lockedBy: holder, lease: LEASE }
}

export function toAttachmentRow(file: ReadAttachment): NewTicketRow['attachments'][number] {
  return {
    attachmentId: newUuid(),
    filename: file.filename,
    declaredType: file.declaredType,
    detectedType: file.detectedType,
    sha256: Buffer.from(file.sha256, 'hex'),
    size: file.bytes.length,
  }
}

/** What the desk gets, as a worker would read it back. */
export function toMessage(row: NewTicketRow, file: ReadAttachment | null, createdAt: Date): OutgoingMessage {
  return toOutgoing(
    {
      ...row,
      deliveryId: row.delivery.deliveryId,
      side: 'desk',
      kind: 'message',
      recipient: null,
      first: true,
      speakerKind: 'customer',
      speakerName: row.requesterName,
      unverified: false,
      html: null,
      status: null,
      ticketStatus: 'open',
      createdAt,
      mailMessageId: row.delivery.mailMessageId,
      thread: [],
    },
    row.attachments.map((attachment) => ({
      attachmentId: toId('att', attachment.attachmentId),
      filename: attachment.filename,
      contentType: contentTypeOf(attachment.declaredType, attachment.detectedType),
      size: attachment.size,
      sha256: attachment.sha256.toString('hex'),
      read: async () => file?.bytes ?? Buffer.alloc(0),
    })),
  )
}
