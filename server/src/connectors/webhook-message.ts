import type { OutgoingMessage } from './connector.ts'

/**
 * The body of a webhook, in the form that Standard Webhooks 1.0.0 recommends: type, timestamp, data. It is
 * the same on every attempt, so its time is the ticket's and not the attempt's.
 */
export async function composeWebhook(message: OutgoingMessage): Promise<string> {
  const attachments = await Promise.all(
    message.attachments.map(async (attachment) => ({
      attachment_id: attachment.attachmentId,
      filename: attachment.filename,
      content_type: attachment.contentType,
      size: attachment.size,
      sha256: attachment.sha256,
      content_base64: (await attachment.read()).toString('base64'),
    })),
  )
  return JSON.stringify({
    type: 'support.ticket.created',
    timestamp: message.createdAt.toISOString(),
    data: {
      ticket_id: message.ticketId,
      message_id: message.messageId,
      brand_id: message.brandId,
      person_id: message.personId,
      requester: { email: message.requester.email, name: message.requester.name },
      subject: message.subject,
      body: message.body,
      attachments,
    },
  })
}
