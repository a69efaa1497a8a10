import type { OutgoingAttachment, OutgoingMessage } from './connector.ts'

export type ComposedWebhook = {
  /** Of the whole body, in bytes. */
  size: number
  /** The body from its first byte, in pieces; may be asked for again. */
  pieces(): Generator<Buffer>
}

/** How much of the body is handed out at a time, in bytes, and how much of an attachment fills that in base64. */
const PIECE = 64 * 1024
const PIECE_BYTES = (PIECE / 4) * 3

/**
 * The body of a webhook, in the form that Standard Webhooks 1.0.0 recommends: type, timestamp, data. It is
 * the same on every attempt, so its time is the message's, or of a status the change's, and not the attempt's; only
 * the status of the ticket beside a further message is that of the attempt's moment.
 *
 * The attachments are held as they are and become base64 piece by piece, when the body is signed and when it
 * is sent: many attempts at once would otherwise hold each of them several times.
 */
export async function composeWebhook(message: OutgoingMessage): Promise<ComposedWebhook> {
  if (message.kind === 'status') return whole(statusChange(message))
  const parts: { head: Buffer; content: Buffer }[] = []
  let opened = openMessage(message)
  for (const attachment of message.attachments) {
    parts.push({ head: Buffer.from(opened + openAttachment(attachment)), content: await attachment.read() })
    opened = '"},'
  }
  const end = Buffer.from(parts.length === 0 ? `${opened}]}}` : '"}]}}')
  const size = parts.reduce(
    (sum, { head, content }) => sum + head.length + Math.ceil(content.length / 3) * 4,
    end.length,
  )
  function* pieces(): Generator<Buffer> {
    for (const { head, content } of parts) {
      yield* slices(head)
      for (let start = 0; start < content.length; start += PIECE_BYTES) {
        yield Buffer.from(content.toString('base64', start, start + PIECE_BYTES), 'latin1')
      }
    }
    yield* slices(end)
  }
  return { size, pieces }
}

/** The JSON up to the bracket that opens the list of attachments. */
function openMessage(message: OutgoingMessage): string {
  const json = JSON.stringify(message.first ? newTicket(message) : furtherMessage(message))
  return json.slice(0, -']}}'.length)
}

function newTicket(message: OutgoingMessage): object {
  return {
    type: 'support.ticket.created',
    timestamp: message.createdAt.toISOString(),
    data: {
      ticket_id: message.ticketId,
      message_id: message.messageId,
      brand_id: message.brandId,
      person_id: message.personId,
      requester: {
        email: message.requester.email,
        name: message.requester.name,
        ...(message.unverified ? { verified: false } : {}),
      },
      subject: message.subject,
      body: message.body,
      attachments: [],
    },
  }
}

function furtherMessage(message: OutgoingMessage): object {
  return {
    type: 'support.message.created',
    timestamp: message.createdAt.toISOString(),
    data: {
      ticket_id: message.ticketId,
      message_id: message.messageId,
      brand_id: message.brandId,
      person_id: message.personId,
      speaker: { kind: message.speaker.kind, name: message.speaker.name },
      subject: message.subject,
      body: message.body,
      status: message.ticketStatus,
      attachments: [],
    },
  }
}

function statusChange(message: OutgoingMessage): object {
  return {
    type: 'support.ticket.updated',
    timestamp: message.createdAt.toISOString(),
    data: { ticket_id: message.ticketId, brand_id: message.brandId, status: message.status },
  }
}

function whole(body: object): ComposedWebhook {
  const bytes = Buffer.from(JSON.stringify(body))
  return { size: bytes.length, pieces: () => slices(bytes) }
}

/** The JSON of one attachment up to the quotation mark before its base64. */
function openAttachment(attachment: OutgoingAttachment): string {
  const json = JSON.stringify({
    attachment_id: attachment.attachmentId,
    filename: attachment.filename,
    content_type: attachment.contentType,
    size: attachment.size,
    sha256: attachment.sha256,
    content_base64: '',
  })
  return json.slice(0, -'"}'.length)
}

function* slices(bytes: Buffer): Generator<Buffer> {
  for (let start = 0; start < bytes.length; start += PIECE) yield bytes.subarray(start, start + PIECE)
}
