import { Receipt, Ticket, TicketPage, TicketSummary } from '@bellhop/contract'
import type {
  FastifyInstance,
  FastifyReply,
  FastifyRequest,
  onRequestHookHandler,
  preParsingHookHandler,
} from 'fastify'
import type { Brand } from '../config.ts'
import { toId } from '../ids.ts'
import type { LogFields } from '../log.ts'
import { attachmentRoutes } from './attachment.routes.ts'
import { narrowOrigin } from './brand-origin.ts'
import { type Caller, callerOf } from './caller.ts'
import { etagOf, isKnown } from './etag.ts'
import type { FollowUpService } from './follow-up.service.ts'
import type { TicketReader } from './ticket.reader.ts'
import type { Accepted, TicketService } from './ticket.service.ts'
import { toReceipt } from './ticket.view.ts'

declare module 'fastify' {
  interface FastifyRequest {
    /** Set before the body is read, on every route behind a token. */
    caller: Caller | null
    /** What the request's log line says beside its route and status. */
    facts: LogFields
  }
}

/** What a request meets before these routes; made by `http/`. */
export type TicketGuards = {
  /** Judges the access token. */
  token: onRequestHookHandler
  /** Judges content type and size. */
  content: preParsingHookHandler
  /** Keeps the requests in flight within what the process can bear. */
  admission: onRequestHookHandler
  /** Counts a request as in flight as long as this work goes on. */
  during<T>(request: FastifyRequest, work: Promise<T>): Promise<T>
  /** Counts what a person of a brand files and says. @throws AppError `rate_limited` */
  limit(
    request: FastifyRequest,
    brandId: string,
    personId: string,
    perMinute: number,
  ): Promise<Record<string, string>>
}

/** Who does what these routes ask for. */
export type TicketServices = { service: TicketService; reader: TicketReader; followUps: FollowUpService }

type OfTicket = { Params: { ticket_id: string } }

const LIST = '/v1/support/tickets'
const ONE = '/v1/support/tickets/:ticket_id'

export function ticketRoutes({ service, reader, followUps }: TicketServices, guards: TicketGuards) {
  const reading = { onRequest: [guards.token, guards.admission] }
  const writing = { ...reading, preParsing: guards.content }

  return async (app: FastifyInstance): Promise<void> => {
    app.post(LIST, {
      ...writing,
      schema: { response: { 201: Receipt } },
      handler: (request, reply) => guards.during(request, file(request, reply)),
    })
    app.get(LIST, {
      ...reading,
      schema: { response: { 200: TicketPage } },
      handler: (request, reply) => guards.during(request, list(request, reply)),
    })
    app.get<OfTicket>(ONE, {
      ...reading,
      schema: { response: { 200: Ticket } },
      handler: (request, reply) => guards.during(request, read(request, reply)),
    })
    app.patch<OfTicket>(ONE, {
      ...writing,
      schema: { response: { 200: TicketSummary } },
      handler: (request, reply) => guards.during(request, change(request, reply)),
    })
    app.post<OfTicket>(`${ONE}/messages`, {
      ...writing,
      schema: { response: { 201: Receipt } },
      handler: (request, reply) => guards.during(request, say(request, reply)),
    })
    attachmentRoutes(app, reader, guards)
  }

  async function file(request: FastifyRequest, reply: FastifyReply): Promise<Receipt> {
    const caller = callerOf(request)
    const admitted = service.admit(caller, request.body, request.headers['idempotency-key'])
    await meet(request, reply, admitted.brand, admitted.ticket.person_id)
    return answer(request, reply, await service.accept(admitted))
  }

  async function list(request: FastifyRequest, reply: FastifyReply): Promise<TicketPage> {
    reply.header('cache-control', 'no-store')
    const query = request.query as Record<string, unknown>
    const { brand, page, leave } = await reader.list(callerOf(request), query)
    whenOver(reply, leave)
    request.facts.brand_id = brand.id
    narrowOrigin(request, reply, brand)
    return page
  }

  async function read(
    request: FastifyRequest<OfTicket>,
    reply: FastifyReply,
  ): Promise<Ticket | FastifyReply> {
    // Kept by the reader's own browser, which must ask each time: so an ETag spares a poll the whole answer. An
    // answer that is no ticket is not kept at all.
    reply.header('cache-control', 'no-store')
    const { brand, ticket, leave } = await reader.read(callerOf(request), request.params.ticket_id)
    whenOver(reply, leave)
    note(request, brand, ticket.ticket_id)
    narrowOrigin(request, reply, brand)
    const etag = etagOf(JSON.stringify(ticket))
    reply.headers({ 'cache-control': 'private, no-cache', etag })
    if (!isKnown(request.headers['if-none-match'], etag)) return ticket
    return reply.code(304).send()
  }

  async function say(request: FastifyRequest<OfTicket>, reply: FastifyReply): Promise<Receipt> {
    const { ticket_id: ticketId } = request.params
    const key = request.headers['idempotency-key']
    const asked = await followUps.admitMessage(callerOf(request), ticketId, request.body, key)
    await meet(request, reply, asked.brand, asked.ticket.personId)
    return answer(request, reply, await followUps.say(asked))
  }

  async function change(request: FastifyRequest<OfTicket>, reply: FastifyReply): Promise<TicketSummary> {
    reply.header('cache-control', 'no-store')
    const { ticket_id: ticketId } = request.params
    const key = request.headers['idempotency-key']
    const asked = await followUps.admitChange(callerOf(request), ticketId, request.body, key)
    note(request, asked.brand, ticketId)
    await meet(request, reply, asked.brand, asked.ticket.personId)
    const { summary, replayed } = await followUps.change(asked)
    if (replayed) reply.header('idempotency-replayed', 'true')
    return summary
  }

  /** What everything that a person sends meets once its brand is known. */
  async function meet(request: FastifyRequest, reply: FastifyReply, brand: Brand, personId: string) {
    request.facts.brand_id = brand.id
    narrowOrigin(request, reply, brand)
    reply.headers(await guards.limit(request, brand.id, personId, brand.ticketsPerMinute))
  }
}

function answer(request: FastifyRequest, reply: FastifyReply, accepted: Accepted): Receipt {
  request.facts.ticket_id = toId('tkt', accepted.ticketId)
  if (accepted.replayed) reply.header('idempotency-replayed', 'true')
  reply.code(201)
  return toReceipt(accepted)
}

/** Until an answer was read, however slowly, it lies in this process. */
function whenOver({ raw }: FastifyReply, leave: () => void): void {
  if (raw.destroyed) leave()
  else raw.once('close', leave)
}

function note(request: FastifyRequest, brand: Brand, ticketId: string): void {
  request.facts.brand_id = brand.id
  request.facts.ticket_id = ticketId
}
