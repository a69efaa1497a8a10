import { isUtf8 } from 'node:buffer'
import type { FastifyInstance, preParsingHookHandler } from 'fastify'
import { AppError } from '../errors.ts'

/** `application/json`, with no parameter but `charset=utf-8` (RFC 9110, sections 5.6.6 and 8.3). */
const JSON_IN_UTF8 = /^application\/json[ \t]*(?:;[ \t]*(?:charset=(?:utf-8|"utf-8")[ \t]*)?)*$/i

/** Judges content type, then size, before a byte of the body is read. */
export function contentGuard(maxBytes: number): preParsingHookHandler {
  return (request, reply, payload, done) => {
    const { headers } = request
    if (!JSON_IN_UTF8.test(headers['content-type'] ?? '')) {
      done(new AppError('unsupported_media_type', 'The content type must be application/json in UTF-8.'))
      return
    }
    if (!/^(?:identity)?$/i.test(headers['content-encoding'] ?? '')) {
      done(new AppError('unsupported_media_type', 'The body must not be compressed (Content-Encoding).'))
      return
    }
    if (Number(headers['content-length'] ?? 0) > maxBytes) {
      done(tooLarge(maxBytes))
      return
    }
    // Node leaves the answer to us, see app.ts: who asked first sends nothing that was refused.
    if (/^100-continue$/i.test(headers.expect ?? '')) reply.raw.writeContinue()
    done(null, payload)
  }
}

export function tooLarge(maxBytes: number): AppError {
  return new AppError('payload_too_large', `The request is over ${maxBytes} bytes.`)
}

/**
 * Fastify's own parser lets bytes through that are not UTF-8 and refuses `__proto__`. JSON.parse makes an own
 * property of it that nobody reads.
 */
export function registerJsonParser(app: FastifyInstance): void {
  app.removeAllContentTypeParsers()
  app.addContentTypeParser('*', { parseAs: 'buffer' }, (_request, body, done) => {
    try {
      done(null, parseJson(body as Buffer))
    } catch (error) {
      done(error as Error)
    }
  })
}

function parseJson(bytes: Buffer): unknown {
  if (!isUtf8(bytes))
    throw new AppError('invalid_json', 'The body must be JSON in UTF-8; its bytes are not UTF-8.')
  try {
    return JSON.parse(bytes.toString('utf8'))
  } catch {
    // The parser's own message quotes the body.
    throw new AppError('invalid_json', 'The body must be one JSON value.')
  }
}
