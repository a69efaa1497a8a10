import type { preParsingHookHandler } from 'fastify'
import { AppError } from '../errors.ts'

/**
 * `application/json`, whose charset, where it has one, is UTF-8 (RFC 9110, sections 5.6.6 and 8.3). It has no
 * other parameter (RFC 8259, section 11), and one that is there means nothing.
 */
const JSON_IN_UTF8 =
  /^application\/json[ \t]*(?:;[ \t]*(?:(?:charset=(?:utf-8|"utf-8")|(?!charset=)[\w!#$%&'*+.^`|~-]+=(?:[\w!#$%&'*+.^`|~-]+|"[^"\\]*"))[ \t]*)?)*$/i

/** A mail as it came (RFC 2046, section 5.2.1), whose parameters mean nothing here. */
const MAIL = /^(?:message\/rfc822|application\/octet-stream)[ \t]*(?:;|$)/i

/** Judges content type, then size, before a byte of the body is read. */
export function contentGuard(maxBytes: number): preParsingHookHandler {
  return guardOf(JSON_IN_UTF8, 'The content type must be application/json in UTF-8.', maxBytes)
}

/** The same for a mail as it came. */
export function mailContentGuard(maxBytes: number): preParsingHookHandler {
  return guardOf(MAIL, 'The content type must be message/rfc822 or application/octet-stream.', maxBytes)
}

function guardOf(type: RegExp, expected: string, maxBytes: number): preParsingHookHandler {
  return (request, reply, payload, done) => {
    const { headers } = request
    if (!type.test(headers['content-type'] ?? '')) {
      done(new AppError('unsupported_media_type', expected))
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
