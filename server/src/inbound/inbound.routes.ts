import type { FastifyInstance, FastifyRequest, onRequestHookHandler, preParsingHookHandler } from 'fastify'
import type { Brand } from '../config.ts'
import { isDatabaseAway } from '../database/pool.ts'
import { AppError, unavailable } from '../errors.ts'
import { toId } from '../ids.ts'
import type { KeptMail, MailKeeper } from './keep-mail.ts'
import { digestMail } from './mail-bytes.ts'
import { judgeSignature, readSignature, type WrittenSignature } from './request-signature.ts'

/** What a request meets before this route; made by `http/`. */
export type InboundGuards = {
  /** Keeps what callers whom nobody knows yet may send at once within a bound, by the brand that they name. */
  places: onRequestHookHandler
  /** Keeps the requests in flight within what the process can bear. */
  admission: onRequestHookHandler
  /** Judges content type and size. */
  content: preParsingHookHandler
  /** Counts a request as in flight as long as this work goes on. */
  during<T>(request: FastifyRequest, work: Promise<T>): Promise<T>
}

export type InboundDeps = {
  brands: Map<string, Brand>
  keeper: MailKeeper
  /** Epoch milliseconds. */
  now: () => number
}

type BrandPath = { Params: { brand: string } }

/** `POST /v1/inbound/{brand}`: a mail server hands on a mail as it came, signed, and hears yes after COMMIT. */
export function inboundRoutes({ brands, keeper, now }: InboundDeps, guards: InboundGuards) {
  return async (app: FastifyInstance): Promise<void> => {
    const written = new WeakMap<FastifyRequest, WrittenSignature>()

    app.post<BrandPath>('/v1/inbound/:brand', {
      onRequest: [
        // Who does not even claim to have signed sends nothing.
        async (request) => void written.set(request, readSignature(request.headers, now())),
        guards.places,
        guards.admission,
      ],
      preParsing: guards.content,
      handler: async (request, reply) => {
        const { mailId, before } = await guards.during(request, take(request, request.params.brand))
        return reply.code(before ? 200 : 201).send({ inbound_id: toId('inb', mailId) })
      },
    })

    async function take(request: FastifyRequest, brandId: string): Promise<KeptMail> {
      const raw = request.body
      const signature = written.get(request)
      if (signature === undefined) throw new Error('a request was let in without a signature')
      if (!Buffer.isBuffer(raw)) throw new AppError('validation_error', 'The body must be a mail.')
      const brand = brands.get(brandId)
      await judgeSignature(brand?.inbound?.secret ?? null, signature, raw)
      request.facts.brand_id = brandId
      if (raw.length === 0) throw new AppError('validation_error', 'The body must be a mail.')
      const kept = await keep(brandId, raw, await digestMail(signature.mac))
      request.facts.inbound_id = toId('inb', kept.mailId)
      request.facts.bytes = raw.length
      return kept
    }
  }

  /** @param requestDigest of the signature, which no other request has */
  async function keep(brandId: string, raw: Buffer, requestDigest: Buffer): Promise<KeptMail> {
    try {
      return await keeper.keep({ brandId, way: 'http', raw, requestDigest })
    } catch (error) {
      if (isDatabaseAway(error)) throw unavailable('The database is away.', 2, error)
      if (isOfTheDisk(error)) throw unavailable('The mail cannot be stored now.', 5, error)
      throw error
    }
  }
}

/** The disk is full or gone: the operator's to mend, and safe to try again. */
export function isOfTheDisk(error: unknown): boolean {
  return error instanceof Error && 'syscall' in error
}
