import { Receipt } from '@bellhop/contract'
import type { FastifyInstance, FastifyRequest, onRequestHookHandler, preParsingHookHandler } from 'fastify'
import type { Brand } from '../config.ts'
import { readSecret } from '../connectors/webhook-signature.ts'
import { toId } from '../ids.ts'
import type { Answered, DeskService } from './desk.service.ts'
import { judgeSignature, readSignature, type WrittenSignature } from './webhook-request.ts'

/** What a request meets before this route; made by `http/`. */
export type DeskGuards = {
  /** Keeps what callers whom nobody knows yet may send at once within a bound, by the brand that they name. */
  places: onRequestHookHandler
  /** Keeps the requests in flight within what the process can bear. */
  admission: onRequestHookHandler
  /** Judges content type and size. */
  content: preParsingHookHandler
  /** Counts a request as in flight as long as this work goes on. */
  during<T>(request: FastifyRequest, work: Promise<T>): Promise<T>
  /** @throws AppError `invalid_json`, `payload_too_large` */
  parse(bytes: Buffer): unknown
}

export type DeskDeps = {
  brands: ReadonlyMap<string, Brand>
  service: DeskService
  /** Epoch milliseconds. */
  now: () => number
}

type MessagesPath = { Params: { brand: string; ticket_id: string } }

/** `POST /v1/desk/{brand}/tickets/{ticket_id}/messages`: the people at a webhook desk answer, or note something. */
export function deskRoutes({ brands, service, now }: DeskDeps, guards: DeskGuards) {
  const secrets = new Map<string, Buffer>()
  for (const { id, desk } of brands.values())
    if (desk.connector === 'webhook') secrets.set(id, readSecret(desk.secret))

  return async (app: FastifyInstance): Promise<void> => {
    const written = new WeakMap<FastifyRequest, WrittenSignature>()

    app.post<MessagesPath>('/v1/desk/:brand/tickets/:ticket_id/messages', {
      onRequest: [
        // Who does not even claim to have signed sends nothing.
        async (request) => void written.set(request, readSignature(request.headers, now())),
        guards.places,
        guards.admission,
      ],
      preParsing: guards.content,
      schema: { response: { 201: Receipt } },
      handler: async (request, reply) => {
        const answered = await guards.during(request, answer(request))
        if (answered.replayed) reply.header('idempotency-replayed', 'true')
        return reply.code(201).send(toReceipt(answered))
      },
    })

    async function answer(request: FastifyRequest<MessagesPath>): Promise<Answered> {
      const { brand: brandId, ticket_id: ticketId } = request.params
      const signature = written.get(request)
      if (signature === undefined) throw new Error('a request was let in without a signature')
      const raw = Buffer.isBuffer(request.body) ? request.body : Buffer.alloc(0)
      await judgeSignature(secrets.get(brandId) ?? null, signature, raw)
      request.facts.brand_id = brandId
      const body = guards.parse(raw)
      const answered = await service.say({ brandId, ticketId, webhookId: signature.id, body })
      request.facts.ticket_id = toId('tkt', answered.ticketId)
      request.facts.message_id = toId('msg', answered.messageId)
      return answered
    }
  }
}

function toReceipt({ ticketId, messageId, isUnderWay }: Answered): Receipt {
  return {
    ticket_id: toId('tkt', ticketId),
    message_id: toId('msg', messageId),
    status: isUnderWay ? 'requested' : 'sent',
  }
}
