import Type from 'typebox'
import { ATTACHMENTS_LIMIT, NewAttachment } from './ticket.ts'

/** Characters of an agent's name. */
export const AUTHOR_NAME_LIMIT = 200

/** The body of `POST /v1/desk/{brand}/tickets/{ticket_id}/messages`: what the people at a desk answer. */
export const NewDeskMessage = Type.Object({
  body: Type.String({ minLength: 1 }),
  author_name: Type.Optional(
    Type.String({
      minLength: 1,
      maxLength: AUTHOR_NAME_LIMIT,
      description: 'Who answers, as the customer reads it; no control characters.',
    }),
  ),
  note: Type.Optional(Type.Boolean({ description: 'An internal note: it reaches no customer.' })),
  status: Type.Optional(
    Type.Enum(['open', 'pending', 'solved'], {
      type: 'string',
      description: 'What the ticket’s status becomes; without it, it stays as it is.',
    }),
  ),
  attachments: Type.Optional(Type.Array(NewAttachment, { maxItems: ATTACHMENTS_LIMIT })),
})
export type NewDeskMessage = Type.Static<typeof NewDeskMessage>
