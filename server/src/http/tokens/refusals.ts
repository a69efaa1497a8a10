import { AppError } from '../../errors.ts'

/**
 * Why a token does not hold: each code with the sentence that the caller reads. A sentence names the claim at
 * fault where the token's signature has held, and never a value. It goes into a quoted string of a header
 * too, so it has no quotation mark and no backslash (RFC 6750, section 3).
 */
const SENTENCE = {
  no_token: 'The request needs an access token in its Authorization header, as Bearer and the token.',
  malformed: 'The Authorization header is not one Bearer token.',
  too_long: 'The access token is longer than 8192 bytes.',
  encrypted: 'The access token is encrypted, which is not supported here.',
  unknown_issuer: 'The access token is not from an issuer that is trusted here.',
  header: 'The header of the access token is not acceptable: its alg, typ, crit or kid.',
  signature: 'The signature of the access token does not hold.',
  claims: 'The claims of the access token are not as expected: iss, exp, nbf, iat, sub or client_id.',
  audience: 'The aud of the access token does not name this service.',
  expired: 'The access token has expired.',
  not_yet: 'The nbf of the access token lies in the future.',
  inactive: 'The access token is not active.',
} as const

export type RefusalReason = keyof typeof SENTENCE

/**
 * The value of WWW-Authenticate (RFC 6750, section 3). Without an error where no token came, and where
 * another scheme was tried (section 3.1, its last paragraph).
 */
export function challenge(error?: 'invalid_token' | 'insufficient_scope', description?: string): string {
  const parts = ['Bearer realm="bellhop"']
  if (error !== undefined) parts.push(`error="${error}"`)
  if (description !== undefined) parts.push(`error_description="${description}"`)
  return parts.join(', ')
}

/**
 * The 401 for this reason; its `cause` is the reason's code, for logs and metrics.
 *
 * A malformed header is `invalid_token` as well. RFC 6750 has `invalid_request` for it, but asks for 400
 * there; of its codes only `invalid_token`, which covers "malformed", goes with 401.
 */
export function refusal(reason: RefusalReason): AppError {
  const message = SENTENCE[reason]
  const value = reason === 'no_token' ? challenge() : challenge('invalid_token', message)
  return new AppError('unauthorized', message, { headers: { 'www-authenticate': value }, cause: reason })
}

/** Whether this is one of the 401s above, and not an issuer that is away or a bug. */
export function isRefusal(error: unknown): error is AppError {
  return error instanceof AppError && error.code === 'unauthorized'
}

/** The code of such a 401. */
export function reasonOf(error: AppError): RefusalReason {
  const reason = error.cause
  return typeof reason === 'string' && isReason(reason) ? reason : 'malformed'
}

function isReason(text: string): text is RefusalReason {
  return Object.hasOwn(SENTENCE, text)
}
