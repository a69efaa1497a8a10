import type { FastifyInstance, FastifyRequest } from 'fastify'
import type { Admission } from './admission.ts'
import { tooLarge } from './content.ts'
import { parseJson } from './json.ts'

/**
 * Reads the bodies of these routes, and of no others: who asks for a path that is not there sends one in vain.
 * Fastify would read a body to its end before it could be told that the server is full.
 */
export function registerBodies(app: FastifyInstance, admission: Admission, maxBytes: number): void {
  app.addContentTypeParser('*', async (request: FastifyRequest) =>
    parseJson(await readBody(request, admission, maxBytes)),
  )
}

/** The bodies of these routes are bytes as they came. */
export function registerRawBodies(app: FastifyInstance, counting: Counting, maxBytes: number): void {
  app.addContentTypeParser('*', (request: FastifyRequest) => readBody(request, counting, maxBytes))
}

type Counting = Pick<Admission, 'count'>

/**
 * @throws AppError `payload_too_large`, or `unavailable` where the server is full; what still comes is left
 * to the answer
 */
function readBody(request: FastifyRequest, admission: Counting, maxBytes: number): Promise<Buffer> {
  const { raw } = request
  const { promise, resolve, reject } = Promise.withResolvers<Buffer>()
  const pieces: Buffer[] = []
  let length = 0
  const onData = (piece: Buffer) => {
    length += piece.length
    try {
      if (length > maxBytes) throw tooLarge(maxBytes)
      admission.count(request, piece.length)
    } catch (error) {
      reject(error)
      stop()
      return
    }
    pieces.push(piece)
  }
  const onEnd = () => {
    resolve(Buffer.concat(pieces, length))
    stop()
  }
  const onError = (error: Error) => {
    reject(error)
    stop()
  }
  const stop = () => raw.off('data', onData).off('end', onEnd).off('error', onError)
  raw.on('data', onData).on('end', onEnd).on('error', onError)
  return promise
}
