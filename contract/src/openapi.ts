import type { TSchema } from 'typebox'
import { ErrorAnswer, NewTicket, Receipt, Ticket } from './ticket.ts'

const json = (schema: unknown) => ({ 'application/json': { schema } })
const error = (description: string, headers?: object) => ({
  description,
  ...(headers ? { headers } : {}),
  content: json({ $ref: '#/components/schemas/Error' }),
})
const header = (description: string, schema: object = { type: 'string' }) => ({ description, schema })

const retryAfter = { 'Retry-After': header('Seconds after which to try again.', { type: 'integer' }) }
const challenge = { 'WWW-Authenticate': header('The challenge, as RFC 6750 says.') }
const rateLimit = {
  'RateLimit-Limit': header('Tickets that one person may file in a minute.', { type: 'integer' }),
  'RateLimit-Remaining': header('Tickets left in this minute.', { type: 'integer' }),
  'RateLimit-Reset': header('Seconds until the count begins anew.', { type: 'integer' }),
}

/** Errors that every operation behind a token can answer with. */
const common = {
  '401': error('`unauthorized`: no access token, or one that does not hold', challenge),
  '503': error('`unavailable`: the database or the issuer is away, or the server is full', retryAfter),
}

const probe = (summary: string, answers: object) => ({
  summary,
  tags: ['Operation'],
  security: [],
  responses: answers,
})

/**
 * The OpenAPI 3.1 document of the whole HTTP surface. The operation `POST /v1/support/tickets` says what the
 * contract says, and beside it the answers and the header that the contract leaves open.
 * @param version the program's version
 */
export function openapi(version: string): object {
  return {
    openapi: '3.1.0',
    info: {
      title: 'Bellhop: support tickets',
      version,
      description:
        'A signed-in customer asks for help with one call. A ticket that was answered with 201 is kept; `status` says whether the desk has it (`sent`) or will get it (`requested`).\n\nEvery error answer is one stable code and a sentence. Beside what an operation lists, any request may meet `bad_request` (400), `not_found` (404), `method_not_allowed` (405), `request_timeout` (408), `uri_too_long` (414), `headers_too_large` (431) and `internal_error` (500).',
      license: { name: 'Apache-2.0', identifier: 'Apache-2.0' },
    },
    servers: [{ url: '/' }],
    tags: [
      { name: 'Tickets', description: 'What a customer asks, and what became of it.' },
      { name: 'Operation', description: 'For the people who run the server.' },
    ],
    paths: {
      '/v1/support/tickets': {
        post: {
          operationId: 'createTicket',
          summary: 'File a support ticket',
          description:
            'Judged in this order: the token, the content type, the size, the JSON, the schema, the brand, the person, the scope. The codes of 400 are `invalid_json`, `validation_error`, `unknown_brand`, `invalid_attachment`, and `upstream_error` where the desk refused the ticket for good; those of 403 are `forbidden_brand`, `forbidden_person` and `insufficient_scope`.',
          tags: ['Tickets'],
          security: [{ bearer: [] }],
          parameters: [
            {
              name: 'Idempotency-Key',
              in: 'header',
              required: false,
              description:
                'Makes a retry safe: for 24 hours the same key and body answer with the same ticket. Scoped to issuer, person and brand.',
              schema: { type: 'string', minLength: 1, maxLength: 255, pattern: '^[!-~]{1,255}$' },
            },
          ],
          requestBody: { required: true, content: json(NewTicket) },
          responses: {
            '201': { description: 'Support ticket created', content: json(Receipt) },
            '400': error('Validation or upstream error'),
            '403': error('Authenticated user does not match ticket owner'),
            '401': common['401'],
            '408': error('`request_timeout`: the request did not arrive in time'),
            '409': error('`idempotency_conflict`: the same key is still being worked on', retryAfter),
            '413': error('`payload_too_large`'),
            '415': error('`unsupported_media_type`: the body is not application/json in UTF-8'),
            '422': error('`idempotency_mismatch`: the same key came with another body'),
            '429': error('`rate_limited`: too many tickets of one person', { ...retryAfter, ...rateLimit }),
            '503': common['503'],
          },
        },
      },
      '/v1/support/tickets/{ticket_id}': {
        get: {
          operationId: 'getTicket',
          summary: 'Read one of your own tickets',
          tags: ['Tickets'],
          security: [{ bearer: [] }],
          parameters: [{ name: 'ticket_id', in: 'path', required: true, schema: { type: 'string' } }],
          responses: {
            '200': { description: 'The ticket and what was said on it', content: json(Ticket) },
            '401': common['401'],
            '403': error('`insufficient_scope`: the ticket is yours, the token lacks the scope'),
            '404': error('`not_found`: there is no such ticket, or it is not yours'),
            '503': common['503'],
          },
        },
      },
      '/healthz': { get: probe('Is the process alive?', { '200': { description: 'Alive' } }) },
      '/readyz': {
        get: probe('Could a ticket be accepted now?', {
          '200': { description: 'Yes' },
          '503': error('`unavailable`: no, and the message says why', retryAfter),
        }),
      },
      '/metrics': {
        get: probe('Metrics in the text format of Prometheus', { '200': { description: 'Metrics' } }),
      },
    },
    components: {
      securitySchemes: { bearer: { type: 'http', scheme: 'bearer' } },
      schemas: { Error: ErrorAnswer satisfies TSchema },
    },
  }
}
