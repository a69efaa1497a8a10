import type { OutgoingAttachment, OutgoingMessage } from '../../src/connectors/connector.ts'

/** A message as `deliveries/` hands it to a connector. */
export function outgoingMessage(change: Partial<OutgoingMessage> = {}): OutgoingMessage {
  return {
    deliveryId: 'dlv_0199c0ffee007000800000000000000d',
    side: 'desk',
    kind: 'message',
    recipient: null,
    brandId: 'acme',
    ticketId: 'tkt_0199c0ffee007000800000000000000a',
    messageId: 'msg_0199c0ffee007000800000000000000b',
    first: true,
    personId: 'per_ada',
    requester: { email: 'ada@example.com', name: 'Ada Lovelace' },
    unverified: false,
    speaker: { kind: 'customer', name: 'Ada Lovelace' },
    subject: 'The export stops at row 1000',
    body: 'It stops at row 1000.\nEvery time.\n',
    html: null,
    status: null,
    ticketStatus: 'open',
    createdAt: new Date('2026-03-01T09:30:00.125Z'),
    mailMessageId: '<msg_0199c0ffee007000800000000000000b@acme.example>',
    thread: { inReplyTo: null, references: [] },
    attachments: [],
    ...change,
  }
}

export function outgoingAttachment(content: Buffer): OutgoingAttachment {
  return {
    attachmentId: 'att_0199c0ffee007000800000000000000c',
    filename: 'export.csv',
    contentType: 'text/csv',
    size: content.length,
    sha256: '0'.repeat(64),
    read: async () => content,
  }
}

export const NEVER = new AbortController().signal
