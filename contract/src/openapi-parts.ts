/** What the operations of the document are made of. */

export const json = (schema: unknown) => ({ 'application/json': { schema } })

/** @param example what the page of the operations shows a newcomer to send */
export const requestBody = (schema: unknown, example: unknown) => ({
  required: true,
  content: { 'application/json': { schema, example } },
})

export const error = (description: string, headers?: object) => ({
  description,
  ...(headers ? { headers } : {}),
  content: json({ $ref: '#/components/schemas/Error' }),
})

export const header = (description: string, schema: object = { type: 'string' }) => ({ description, schema })

export const requiredHeader = (name: string, description: string, schema: object = { type: 'string' }) => ({
  name,
  in: 'header',
  required: true,
  description,
  schema,
})
export const headerParameter = (name: string, description: string, schema?: object) => ({
  ...requiredHeader(name, description, schema),
  required: false,
})

export const pathParameter = (name: string) => ({
  name,
  in: 'path',
  required: true,
  schema: { type: 'string' },
})

export const queryParameter = (name: string, description: string, schema: object, required = false) => ({
  name,
  in: 'query',
  required,
  description,
  schema,
})

export const retryAfter = {
  'Retry-After': header('Seconds after which to try again.', { type: 'integer' }),
}
export const challenge = { 'WWW-Authenticate': header('The challenge, as RFC 6750 says.') }
export const signatureChallenge = {
  'WWW-Authenticate': header('How the request is to be signed (RFC 9110, section 11.6.1).'),
}
const rateLimit = {
  'RateLimit-Limit': header('Tickets and what is said on them that one person may send in a minute.', {
    type: 'integer',
  }),
  'RateLimit-Remaining': header('What is left of it in this minute.', { type: 'integer' }),
  'RateLimit-Reset': header('Seconds until the count begins anew.', { type: 'integer' }),
}

/** Errors that every operation behind a token can answer with. */
export const common = {
  '401': error('`unauthorized`: no access token, or one that does not hold', challenge),
  '503': error('`unavailable`: the database or the issuer is away, or the server is full', retryAfter),
}

/** And every one that reads or changes one ticket. */
export const ofOneTicket = {
  ...common,
  '403': error('`insufficient_scope`: the ticket is yours, the token lacks the scope'),
  '404': error('`not_found`: there is no such ticket, or it is not yours'),
}

/** Errors of what comes with a body. */
export const ofBody = {
  '408': error('`request_timeout`: the request did not arrive in time'),
  '413': error('`payload_too_large`'),
  '415': error('`unsupported_media_type`: the body is not application/json in UTF-8'),
}

export const mismatch = error('`idempotency_mismatch`: the same key came with another request')
export const tooMany = error('`rate_limited`: too much of one person in a minute', {
  ...retryAfter,
  ...rateLimit,
})

export const bearer = [{ bearer: [] }]

export const idempotencyKey = headerParameter(
  'Idempotency-Key',
  'Makes a retry safe: for 24 hours the same key and request answer with the same result, and `Idempotency-Replayed: true`. Scoped to issuer, person and brand.',
  { type: 'string', minLength: 1, maxLength: 255, pattern: '^[!-~]{1,255}$' },
)
export const replayed = {
  'Idempotency-Replayed': header('`true` where the key was used before, and nothing was done now.'),
}
