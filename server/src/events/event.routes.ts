import type { FastifyInstance, FastifyReply, FastifyRequest, onRequestHookHandler } from 'fastify'
import { AppError } from '../errors.ts'
import { narrowOrigin } from '../tickets/brand-origin.ts'
import { callerOf, endOfToken } from '../tickets/caller.ts'
import type { TicketReader } from '../tickets/ticket.reader.ts'
import type { StreamEnd } from './event-stream.ts'
import type { EventStreams } from './event-streams.ts'
import { type Seats, seatedAs } from './seats.ts'

/** What a request meets before this route; made by `http/`. */
export type EventGuards = {
  /** Lets nothing more come on the connection before the answer is over, since that may last. */
  alone: onRequestHookHandler
  /** Judges the access token. */
  token: onRequestHookHandler
  /** Keeps the requests in flight within what the process can bear. */
  admission: onRequestHookHandler
  /** Counts a request as in flight as long as this work goes on. */
  during<T>(request: FastifyRequest, work: Promise<T>): Promise<T>
  /** Counts a request as over whose answer goes on. */
  leave(request: FastifyRequest, reply: FastifyReply): void
  /** Every Authorization header of the request. */
  authorization(request: FastifyRequest): string | readonly string[] | undefined
  /** Writes the request's line in the log. */
  note(request: FastifyRequest, reply: FastifyReply): void
}

export type EventDeps = {
  streams: EventStreams
  seats: Seats
  reader: Pick<TicketReader, 'find'>
  /** Hears why a stream ended. */
  observe: (end: StreamEnd) => void
}

type OfTicket = { Params: { ticket_id: string } }

/** `GET /v1/support/tickets/{ticket_id}/events`: what happens on a ticket, told as it happens. */
export function eventRoutes({ streams, seats, reader, observe }: EventDeps, guards: EventGuards) {
  return async (app: FastifyInstance): Promise<void> => {
    app.get<OfTicket>('/v1/support/tickets/:ticket_id/events', {
      onRequest: [guards.alone, guards.token, guards.admission],
      exposeHeadRoute: false,
      config: { lasts: true },
      handler: async (request, reply) => {
        reply.header('cache-control', 'no-store')
        await guards.during(request, open(request, reply))
        if (reply.raw.headersSent) guards.leave(request, reply)
      },
    })
  }

  async function open(request: FastifyRequest<OfTicket>, reply: FastifyReply): Promise<void> {
    const caller = callerOf(request)
    const eventId = lastEventId(request.headers['last-event-id'])
    const { ticket_id: ticketId } = request.params
    const leaveSeat = seats.take(seatedAs(caller, ticketId))
    try {
      const { brand, ticket } = await reader.find(caller, ticketId)
      request.facts.brand_id = brand.id
      request.facts.ticket_id = ticketId
      narrowOrigin(request, reply, brand)
      const of = {
        brandId: brand.id,
        ticketId: ticket.ticketId,
        authorization: guards.authorization(request),
        issuer: caller.issuer,
        expiresAt: endOfToken(caller),
      }
      await streams.open(of, eventId, begin(reply), {
        ends(end) {
          observe(end)
          request.facts.code = end
        },
        closed() {
          leaveSeat()
          // Of an answer that ended in order the line is written as of all of them.
          if (!reply.raw.writableFinished) guards.note(request, reply)
        },
      })
    } catch (error) {
      leaveSeat()
      throw error
    }
  }
}

function begin(reply: FastifyReply) {
  return () => {
    const { raw } = reply
    if (raw.destroyed) throw new AppError('bad_request', 'The request broke off.')
    reply.headers({
      'content-type': 'text/event-stream; charset=utf-8',
      // A proxy that gathers an answer before it hands it on would keep it for ever.
      'x-accel-buffering': 'no',
      connection: 'close',
    })
    reply.hijack()
    // By a list and at once, so that Node keeps neither the headers nor the pieces that it puts the head together of:
    // 2 KiB for as long as the stream is open.
    const named = Object.entries(reply.getHeaders()).filter(([, value]) => value !== undefined)
    raw.writeHead(
      200,
      named.flatMap(([name, value]) => [name, String(value)]),
    )
    raw.flushHeaders()
    return raw
  }
}

/** An empty one is what a client sends that has none (HTML, section 9.2.3). */
function lastEventId(header: string | string[] | undefined): string | null {
  return header === undefined || header === '' ? null : String(header)
}
