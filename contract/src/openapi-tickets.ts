import {
  bearer,
  common,
  error,
  header,
  headerParameter,
  idempotencyKey,
  json,
  mismatch,
  ofBody,
  ofOneTicket,
  pathParameter,
  queryParameter,
  replayed,
  requestBody,
  retryAfter,
  tooMany,
} from './openapi-parts.ts'
import { NewMessage, NewTicket, Receipt, Ticket, TicketChange, TicketPage, TicketSummary } from './ticket.ts'

const ticketId = pathParameter('ticket_id')
const tags = ['Tickets']
const security = bearer

/** Errors of what changes one ticket. */
const ofChange = {
  ...ofOneTicket,
  ...ofBody,
  '409': error(
    '`ticket_closed`: nothing can be said on it any more; or `idempotency_conflict`: the same key is still being worked on',
    retryAfter,
  ),
  '422': mismatch,
  '429': tooMany,
}

const createTicket = {
  operationId: 'createTicket',
  summary: 'File a support ticket',
  description:
    'Judged in this order: the token, the content type, the size, the JSON, the schema, the brand, the person, the scope. The codes of 400 are `invalid_json`, `validation_error`, `unknown_brand`, `invalid_attachment`, and `upstream_error` where the desk refused the ticket for good; those of 403 are `forbidden_brand`, `forbidden_person` and `insufficient_scope`.',
  tags,
  security,
  parameters: [idempotencyKey],
  // As the contract has it, which knows no example.
  requestBody: { required: true, content: json(NewTicket) },
  responses: {
    '201': { description: 'Support ticket created', content: json(Receipt) },
    '400': error('Validation or upstream error'),
    '403': error('Authenticated user does not match ticket owner'),
    '401': common['401'],
    ...ofBody,
    '409': error('`idempotency_conflict`: the same key is still being worked on', retryAfter),
    '422': mismatch,
    '429': tooMany,
    '503': common['503'],
  },
}

const listTickets = {
  operationId: 'listTickets',
  summary: 'List your own tickets',
  description:
    'Those that moved last come first. A ticket that began with a mail from an address that the token proves (`email` with `email_verified`) becomes the person’s own here. The codes of 400 are `validation_error` and `unknown_brand`; those of 403 are `forbidden_brand`, `forbidden_person` and `insufficient_scope`.',
  tags,
  security,
  parameters: [
    queryParameter('brand_id', 'Whose tickets.', { type: 'string', minLength: 1 }, true),
    queryParameter(
      'person_id',
      'A trusted client must name the person; a person need not, and can name nobody else.',
      { type: 'string', minLength: 1 },
    ),
    queryParameter('status', 'Only tickets of this status.', {
      type: 'string',
      enum: ['open', 'pending', 'solved', 'closed'],
    }),
    queryParameter('limit', 'Tickets of one page, at most; where subjects are long it has fewer.', {
      type: 'integer',
      minimum: 1,
      maximum: 100,
      default: 20,
    }),
    queryParameter(
      'cursor',
      'The `next_cursor` of the page before. It holds for the same brand, person and status.',
      {
        type: 'string',
      },
    ),
  ],
  responses: {
    '200': { description: 'A page of tickets', content: json(TicketPage) },
    '400': error('`validation_error` or `unknown_brand`'),
    '401': common['401'],
    '403': error('`forbidden_brand`, `forbidden_person` or `insufficient_scope`'),
    '503': common['503'],
  },
}

const etag = { ETag: header('Changes with anything that this answer shows.') }
const ifNoneMatch = headerParameter('If-None-Match', 'The `ETag` of what you have.')

const getTicket = {
  operationId: 'getTicket',
  summary: 'Read one of your own tickets',
  description:
    'A ticket that began with a mail from an address that the token proves becomes the person’s own here.',
  tags,
  security,
  parameters: [ticketId, ifNoneMatch],
  responses: {
    '200': { description: 'The ticket and what was said on it', headers: etag, content: json(Ticket) },
    '304': { description: 'You have it already', headers: etag },
    ...ofOneTicket,
  },
}

const changeTicket = {
  operationId: 'changeTicket',
  summary: 'Say that it is solved, or not',
  description:
    'The status that it has already is no change. The codes of 400 are `invalid_json` and `validation_error`.',
  tags,
  security,
  parameters: [ticketId, idempotencyKey],
  requestBody: requestBody(TicketChange, { status: 'solved' }),
  responses: {
    '200': { description: 'The ticket as it is now', headers: replayed, content: json(TicketSummary) },
    '400': error('`invalid_json` or `validation_error`'),
    ...ofChange,
  },
}

const addMessage = {
  operationId: 'addMessage',
  summary: 'Say more on a ticket',
  description:
    'Opens a solved or a pending ticket again. All attachments together are at most 10 MiB, decoded. Judged in this order: the token, the content type, the size, the JSON, the schema, the ticket, the scope. The codes of 400 are `invalid_json`, `validation_error`, `invalid_attachment`, and `upstream_error` where the desk refused the message for good.',
  tags,
  security,
  parameters: [ticketId, idempotencyKey],
  requestBody: requestBody(NewMessage, { body: 'It has still not come.' }),
  responses: {
    '201': { description: 'It is kept', headers: replayed, content: json(Receipt) },
    '400': error('`invalid_json`, `validation_error`, `invalid_attachment` or `upstream_error`'),
    ...ofChange,
  },
}

const getAttachment = {
  operationId: 'getAttachment',
  summary: 'Download an attachment',
  description: 'With the declared type where it is a media type, and always as a download.',
  tags,
  security,
  parameters: [ticketId, pathParameter('attachment_id'), ifNoneMatch],
  responses: {
    '200': {
      description: 'The bytes',
      headers: {
        ETag: header('The SHA-256 of the bytes, in hexadecimal and quoted.'),
        'Content-Disposition': header('`attachment`, with the file’s name (RFC 6266).'),
      },
      content: { 'application/octet-stream': { schema: { type: 'string', format: 'binary' } } },
    },
    '304': { description: 'You have them already' },
    ...ofOneTicket,
    '404': error('`not_found`: there is no such attachment on this ticket, or the ticket is not yours'),
  },
}

const ticketEvents = {
  operationId: 'ticketEvents',
  summary: 'Hear what happens on a ticket',
  description:
    'Server-sent events, read with fetch and the Authorization header. `message.created`: something was said (`{type, ticket_id, message_id, created_at}`); `message.updated`: where a message stands changed (`{type, ticket_id, message_id, status}`); `ticket.updated`: the ticket’s status changed (`{type, ticket_id, status, updated_at}`); `reset`: what happened meanwhile is not known, read the ticket anew. What was said before the stream began is read with `GET /v1/support/tickets/{ticket_id}`. The stream ends with the token.',
  tags,
  security,
  parameters: [
    ticketId,
    headerParameter('Last-Event-ID', 'The id of the last event that was read: the stream goes on behind it.'),
  ],
  responses: {
    '200': {
      description: 'The stream',
      content: { 'text/event-stream': { schema: { type: 'string' } } },
    },
    '400': error('`validation_error`: Last-Event-ID is not an id of this ticket’s events'),
    ...ofOneTicket,
    '429': error('`rate_limited`: too many streams of one person', retryAfter),
  },
}

/** What a customer, or the product that they use, can do. */
export const ticketPaths = {
  '/v1/support/tickets': { post: createTicket, get: listTickets },
  '/v1/support/tickets/{ticket_id}': { get: getTicket, patch: changeTicket },
  '/v1/support/tickets/{ticket_id}/messages': { post: addMessage },
  '/v1/support/tickets/{ticket_id}/attachments/{attachment_id}': { get: getAttachment },
  '/v1/support/tickets/{ticket_id}/events': { get: ticketEvents },
}
