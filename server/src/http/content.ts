import type { preParsingHookHandler } from 'fastify'
import { AppError } from '../errors.ts'

/**
 * `application/json`, whose charset, where it has one, is UTF-8 (RFC 9110, sections 5.6.6 and 8.3). It has no
 * other parameter (RFC 8259, section 11), and one that is there means nothing.
 */
const JSON_IN_UTF8 =
  /^application\/json[ \t]*(?:;[ \t]*(?:(?:charset=(?:utf-8|"utf-8")|(?!charset=)[\w!#$%&'*+.^`|~-]+=(?:[\w!#$%&'*+.^`|~-]+|"[^"\\]*"))[ \t]*)?)*$/i

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
