import { Readable } from 'node:stream'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { contentTypeOf } from '../deliveries/job.ts'
import { narrowOrigin } from './brand-origin.ts'
import { callerOf } from './caller.ts'
import { attachmentDisposition } from './content-disposition.ts'
import { isKnown } from './etag.ts'
import type { TicketReader } from './ticket.reader.ts'
import type { TicketGuards } from './ticket.routes.ts'

type OfAttachment = { Params: { ticket_id: string; attachment_id: string } }

/** Milliseconds that a download has at least, and bytes a second beyond: a slow reader holds a place and a file. */
const LEAST_MS = 120_000
const LEAST_RATE = 64 * 1024

const ANY_TYPE = 'application/octet-stream'
/** RFC 9110, section 8.3.1, with parameters. */
const MEDIA_TYPE =
  /^[\w!#$%&'*+.^`|~-]+\/[\w!#$%&'*+.^`|~-]+(?:[ \t]*;[ \t]*[\w!#$%&'*+.^`|~-]+=(?:[\w!#$%&'*+.^`|~-]+|"[ !#-[\]-~]*"))*$/

export function attachmentRoutes(app: FastifyInstance, reader: TicketReader, guards: TicketGuards): void {
  app.get<OfAttachment>('/v1/support/tickets/:ticket_id/attachments/:attachment_id', {
    onRequest: [guards.token, guards.admission],
    handler: (request, reply) => guards.during(request, download(request, reply)),
  })

  async function download(request: FastifyRequest<OfAttachment>, reply: FastifyReply): Promise<FastifyReply> {
    reply.header('cache-control', 'no-store')
    const { ticket_id: ticketId, attachment_id: attachmentId } = request.params
    const { brand, file } = await reader.attachment(callerOf(request), ticketId, attachmentId)
    request.facts.brand_id = brand.id
    request.facts.ticket_id = ticketId
    narrowOrigin(request, reply, brand)
    const etag = `"${file.sha256.toString('hex')}"`
    if (isKnown(request.headers['if-none-match'], etag)) {
      return reply.headers({ 'cache-control': 'private, no-cache', etag }).code(304).send()
    }
    const bytes = request.method === 'HEAD' ? Readable.from([]) : await reader.open(file)
    request.facts.bytes = file.size
    endInTime(reply, LEAST_MS + (file.size / LEAST_RATE) * 1000)
    return reply
      .headers({
        // A stranger's file: it is never a page of ours, and nothing in it runs.
        'content-disposition': attachmentDisposition(file.filename),
        'content-security-policy': "sandbox; default-src 'none'",
        'cross-origin-resource-policy': 'same-origin',
        'x-content-type-options': 'nosniff',
        'content-type': typeOf(contentTypeOf(file.declaredType, file.detectedType)),
        'content-length': file.size,
        'cache-control': 'private, no-cache',
        etag,
      })
      .send(bytes)
  }
}

function typeOf(declared: string): string {
  return declared.length <= 255 && MEDIA_TYPE.test(declared) ? declared : ANY_TYPE
}

function endInTime({ raw }: FastifyReply, ms: number): void {
  const timer = setTimeout(() => raw.destroy(), ms)
  timer.unref()
  raw.once('close', () => clearTimeout(timer))
}
