import { NewDeskMessage } from './desk.ts'
import {
  common,
  error,
  json,
  mismatch,
  ofBody,
  pathParameter,
  replayed,
  requestBody,
  requiredHeader,
  retryAfter,
  signatureChallenge,
} from './openapi-parts.ts'
import { Receipt } from './ticket.ts'

/** For a desk that answers by webhook. */
export const deskPaths = {
  '/v1/desk/{brand}/tickets/{ticket_id}/messages': {
    post: {
      operationId: 'answerTicket',
      summary: 'Answer a ticket from the desk, or put a note on it',
      description:
        'Signed with the secret of the brand’s desk as Standard Webhooks 1.0.0 says, over the raw bytes. `webhook-id` is the idempotency key: for 24 hours the same id and request answer with the same result, and `Idempotency-Replayed: true`. `status` is `sent` where nothing is left to be carried to the customer, and `requested` while mail goes on behind the answer. Judged in this order: the signature’s headers and time, the content type, the size, the signature, the JSON, the schema, the ticket. The codes of 400 are `invalid_json`, `validation_error` and `invalid_attachment`.',
      tags: ['Desk'],
      security: [],
      parameters: [
        pathParameter('brand'),
        pathParameter('ticket_id'),
        requiredHeader('webhook-id', 'A new one for each message, and the same one on each retry of it.', {
          type: 'string',
          minLength: 1,
          maxLength: 255,
          pattern: '^[!-~]{1,255}$',
        }),
        requiredHeader('webhook-timestamp', 'Seconds since 1970, at most five minutes from now.', {
          type: 'string',
          pattern: '^[0-9]{1,12}$',
        }),
        requiredHeader(
          'webhook-signature',
          '`v1,` and in base64 HMAC-SHA-256 over the id, the timestamp and the raw bytes, with dots between; several are separated by spaces.',
        ),
      ],
      requestBody: requestBody(NewDeskMessage, {
        body: 'It comes tomorrow.',
        author_name: 'Sam',
        status: 'pending',
      }),
      responses: {
        '201': { description: 'It is kept', headers: replayed, content: json(Receipt) },
        '400': error('`invalid_json`, `validation_error` or `invalid_attachment`'),
        '401': error('`unauthorized`: no signature that holds, or no such brand', signatureChallenge),
        '404': error('`not_found`: the brand has no such ticket'),
        ...ofBody,
        '409': error(
          '`ticket_closed`: nothing can be said on it any more; or `idempotency_conflict`: the same id is still being worked on',
          retryAfter,
        ),
        '422': mismatch,
        '503': common['503'],
      },
    },
  },
}
