import Type from 'typebox'

/** A file as a request brings it. */
export const NewAttachment = Type.Object({
  filename: Type.String({ minLength: 1 }),
  content_base64: Type.String({ minLength: 1 }),
  content_type: Type.Optional(Type.String({ minLength: 1 })),
})
export type NewAttachment = Type.Static<typeof NewAttachment>

/** The body of `POST /v1/support/tickets`, as the contract has it: no field has a length of its own. */
export const NewTicket = Type.Object({
  brand_id: Type.String({ minLength: 1 }),
  person_id: Type.String({ minLength: 1 }),
  requester_email: Type.String({ format: 'email' }),
  requester_name: Type.Optional(Type.String({ minLength: 1 })),
  subject: Type.String({ minLength: 1 }),
  body: Type.String({ minLength: 1 }),
  attachment: Type.Optional(NewAttachment),
})
export type NewTicket = Type.Static<typeof NewTicket>

/** How many files one message may have. */
export const ATTACHMENTS_LIMIT = 10

/** The body of `POST /v1/support/tickets/{ticket_id}/messages`. */
export const NewMessage = Type.Object({
  body: Type.String({ minLength: 1 }),
  attachments: Type.Optional(Type.Array(NewAttachment, { maxItems: ATTACHMENTS_LIMIT })),
})
export type NewMessage = Type.Static<typeof NewMessage>

/** The body of `PATCH /v1/support/tickets/{ticket_id}`: the customer's own say. */
export const TicketChange = Type.Object({
  status: Type.Enum(['solved', 'open'], { type: 'string' }),
})
export type TicketChange = Type.Static<typeof TicketChange>

/** The answer that says where the ticket stands: `sent`, or `requested` while delivery goes on. */
export const Receipt = Type.Object({
  ticket_id: Type.String(),
  message_id: Type.String(),
  status: Type.Enum(['requested', 'sent'], { type: 'string' }),
})
export type Receipt = Type.Static<typeof Receipt>

export const Attachment = Type.Object({
  attachment_id: Type.String(),
  filename: Type.String(),
  content_type: Type.String({ description: 'The declared type, else the detected one.' }),
  size: Type.Integer({ minimum: 0, description: 'Bytes.' }),
  sha256: Type.String({ description: 'Of the bytes, in lower-case hexadecimal.' }),
})
export type Attachment = Type.Static<typeof Attachment>

const Time = Type.String({ format: 'date-time' })
const TimeOrNull = Type.Union([Time, Type.Null()])

export const Speaker = Type.Object(
  {
    kind: Type.Enum(['customer', 'agent', 'participant', 'system'], { type: 'string' }),
    name: Type.Union([Type.String(), Type.Null()], { description: 'Never an address.' }),
  },
  { description: 'Who said it, in full.' },
)
export type Speaker = Type.Static<typeof Speaker>

export const DeliveryReceipt = Type.Object({
  state: Type.Enum(['pending', 'delivered', 'rejected', 'dead', 'bounced'], {
    type: 'string',
    description:
      '`pending`: it is being carried. `rejected`: refused for good. `dead`: nobody took it in three days. `bounced`: the mail was taken and came back.',
  }),
  attempts: Type.Integer({ minimum: 0 }),
  last_attempt_at: TimeOrNull,
  delivered_at: TimeOrNull,
})
export type DeliveryReceipt = Type.Static<typeof DeliveryReceipt>

export const Message = Type.Object({
  message_id: Type.String(),
  author: Type.Enum(['customer', 'agent'], {
    type: 'string',
    description: 'The side: a participant is on the customer’s, the system on the agent’s.',
  }),
  speaker: Speaker,
  body: Type.String(),
  created_at: Time,
  status: Type.Enum(['requested', 'sent', 'rejected'], { type: 'string' }),
  delivery: Type.Union([DeliveryReceipt, Type.Null()], {
    description:
      'To the desk of what the customer said, to the requester’s mailbox of an answer; null where it is carried nowhere.',
  }),
  attachments: Type.Array(Attachment),
})
export type Message = Type.Static<typeof Message>

const summary = {
  ticket_id: Type.String(),
  brand_id: Type.String(),
  person_id: Type.String(),
  subject: Type.String(),
  status: Type.Enum(['open', 'pending', 'solved', 'closed'], { type: 'string' }),
  created_at: Time,
  updated_at: Time,
}

/** A ticket without what was said on it; times are RFC 3339 in UTC with milliseconds. */
export const TicketSummary = Type.Object(summary)
export type TicketSummary = Type.Static<typeof TicketSummary>

/** The answer of `GET /v1/support/tickets/{ticket_id}`. */
export const Ticket = Type.Object({ ...summary, messages: Type.Array(Message) })
export type Ticket = Type.Static<typeof Ticket>

/** The answer of `GET /v1/support/tickets`. */
export const TicketPage = Type.Object({
  data: Type.Array(TicketSummary),
  next_cursor: Type.Union([Type.String(), Type.Null()], {
    description: 'For the next page; null at the end.',
  }),
})
export type TicketPage = Type.Static<typeof TicketPage>

/** The answer to a mail that was handed on. */
export const InboundReceipt = Type.Object({ inbound_id: Type.String() })
export type InboundReceipt = Type.Static<typeof InboundReceipt>

/** The body of every error answer. */
export const ErrorAnswer = Type.Object({
  error: Type.String(),
  message: Type.String(),
})
