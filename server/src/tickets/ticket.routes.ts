import { Receipt, Ticket } from '@bellhop/contract'
import type {
  FastifyInstance,
  FastifyReply,
  FastifyRequest,
  onRequestHookHandler,
  preParsingHookHandler,
} from 'fastify'
import { toId } from '../ids.ts'
import type { LogFields } from '../log.ts'
import type { Caller } from './caller.ts'
import type { TicketService } from './ticket.service.ts'
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
  /** Counts a ticket of this person of this brand. @throws AppError `rate_limited` */
  limit(
    request: FastifyRequest,
    brandId: string,
    personId: string,
    perMinute: number,
  ): Promise<Record<string, string>>
}

export function ticketRoutes(service: TicketService, guards: TicketGuards) {
  return async (app: FastifyInstance): Promise<void> => {
    app.post('/v1/support/tickets', {
      schema: { response: { 201: Receipt } },
      onRequest: [guards.token, guards.admission],
      preParsing: guards.content,
      handler: (request, reply) => guards.during(request, file(request, reply)),
    })

    app.get<{ Params: { ticket_id: string } }>('/v1/support/tickets/:ticket_id', {
      schema: { response: { 200: Ticket } },
      onRequest: [guards.token, guards.admission],
      handler: (request, reply) => {
        reply.header('cache-control', 'no-store')
        return guards.during(request, service.read(callerOf(request), request.params.ticket_id))
      },
    })
  }

  async function file(request: FastifyRequest, reply: FastifyReply): Promise<Receipt> {
    const caller = callerOf(request)
    const admitted = service.admit(caller, request.body, request.headers['idempotency-key'])
    const { brand, ticket } = admitted
    request.facts.brand_id = brand.id
    // The union of the brands' origins was let in, since a preflight names no brand: here it does.
    const { origin } = request.headers
    if (origin !== undefined && !brand.origins.includes(origin))
      reply.removeHeader('access-control-allow-origin')
    reply.headers(await guards.limit(request, brand.id, ticket.person_id, brand.ticketsPerMinute))
    const accepted = await service.accept(admitted)
    request.facts.ticket_id = toId('tkt', accepted.ticketId)
    if (accepted.replayed) reply.header('idempotency-replayed', 'true')
    reply.code(201)
    return toReceipt(accepted)
  }
}

function callerOf(request: FastifyRequest): Caller {
  if (request.caller === null) throw new Error('a route behind a token was reached without one')
  return request.caller
}
