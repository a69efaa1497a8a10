import type { TSchema } from 'typebox'
import { deskPaths } from './openapi-desk.ts'
import { inboundPaths } from './openapi-inbound.ts'
import { error, retryAfter } from './openapi-parts.ts'
import { ticketPaths } from './openapi-tickets.ts'
import { ErrorAnswer } from './ticket.ts'

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
        'A signed-in customer asks for help with one call, reads the answer, and goes on from there. A ticket that was answered with 201 is kept; `status` says whether the desk has it (`sent`) or will get it (`requested`).\n\nEvery error answer is one stable code and a sentence. Beside what an operation lists, any request may meet `bad_request` (400), `not_found` (404), `method_not_allowed` (405), `request_timeout` (408), `uri_too_long` (414), `headers_too_large` (431) and `internal_error` (500).',
      license: { name: 'Apache-2.0', identifier: 'Apache-2.0' },
    },
    servers: [{ url: '/' }],
    tags: [
      { name: 'Tickets', description: 'What a customer asks, and what became of it.' },
      { name: 'Desk', description: 'For the desk that answers by webhook.' },
      { name: 'Mail', description: 'For the mail server that hands on what comes in.' },
      { name: 'Operation', description: 'For the people who run the server.' },
    ],
    paths: {
      ...ticketPaths,
      ...deskPaths,
      ...inboundPaths,
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
