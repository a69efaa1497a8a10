import Type from 'typebox'

/** The body of `POST /v1/support/tickets`, as the contract has it: no field has a length of its own. */
export const NewTicket = Type.Object({
  brand_id: Type.String({ minLength: 1 }),
  person_id: Type.String({ minLength: 1 }),
  requester_email: Type.String({ format: 'email' }),
  requester_name: Type.Optional(Type.String({ minLength: 1 })),
  subject: Type.String({ minLength: 1 }),
  body: Type.String({ minLength: 1 }),
  attachment: Type.Optional(
    Type.Object({
      filename: Type.String({ minLength: 1 }),
      content_base64: Type.String({ minLength: 1 }),
      content_type: Type.Optional(Type.String({ minLength: 1 })),
    }),
  ),
})
export type NewTicket = Type.Static<typeof NewTicket>

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

export const Message = Type.Object({
  message_id: Type.String(),
  author: Type.Enum(['customer', 'agent'], { type: 'string' }),
  body: Type.String(),
  created_at: Type.String({ format: 'date-time' }),
  status: Type.Enum(['requested', 'sent', 'rejected'], { type: 'string' }),
  attachments: Type.Array(Attachment),
})
export type Message = Type.Static<typeof Message>

/** The answer of `GET /v1/support/tickets/{ticket_id}`; times are RFC 3339 in UTC with milliseconds. */
export const Ticket = Type.Object({
  ticket_id: Type.String(),
  brand_id: Type.String(),
  person_id: Type.String(),
  subject: Type.String(),
  status: Type.Enum(['open', 'pending', 'solved', 'closed'], { type: 'string' }),
  created_at: Type.String({ format: 'date-time' }),
  updated_at: Type.String({ format: 'date-time' }),
  messages: Type.Array(Message),
})
export type Ticket = Type.Static<typeof Ticket>

/** The body of every error answer. */
export const ErrorAnswer = Type.Object({
  error: Type.String(),
  message: Type.String(),
})
