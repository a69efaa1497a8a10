import { Receipt, Ticket } from '@bellhop/contract'
import type { FastifyInstance, FastifyRequest, onRequestHookHandler, preParsingHookHandler } from 'fastify'
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
  /** Keeps the requests in flight, and their bytes, within what the process can bear. */
  admission: onRequestHookHandler
  /** Counts a ticket of this person of this brand. @throws AppError `rate_limited` */
  limit(
    request: FastifyRequest,
    brandId: string,
    personId: string,
    perMinute: number,
  ): Promise<Record<string, string>>
}

/** @param maxBytes of a request on the wire */
export function ticketRoutes(service: TicketService, guards: TicketGuards, maxBytes: number) {
  return async (app: FastifyInstance): Promise<void> => {
    app.post('/v1/support/tickets', {
      schema: { response: { 201: Receipt } },
      onRequest: [guards.admission, guards.token],
      preParsing: guards.content,
      bodyLimit: maxBytes,
      handler: async (request, reply) => {
        const caller = callerOf(request)
        const admitted = service.admit(caller, request.body, request.headers['idempotency-key'])
        const { brand, ticket } = admitted
        request.facts.brand_id = brand.id
        reply.headers(await guards.limit(request, brand.id, ticket.person_id, brand.ticketsPerMinute))
        const accepted = await service.accept(admitted)
        request.facts.ticket_id = toId('tkt', accepted.ticketId)
        if (accepted.replayed) reply.header('idempotency-replayed', 'true')
        return reply.code(201).send(toReceipt(accepted))
      },
    })

    app.get<{ Params: { ticket_id: string } }>('/v1/support/tickets/:ticket_id', {
      schema: { response: { 200: Ticket } },
      onRequest: guards.token,
      handler: (request) => service.read(callerOf(request), request.params.ticket_id),
    })
  }
}

function callerOf(request: FastifyRequest): Caller {
  if (request.caller === null) throw new Error('a route behind a token was reached without one')
  return request.caller
}
