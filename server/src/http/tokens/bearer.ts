import { refusal } from './refusals.ts'

/** Bytes. A longer token is refused before anything looks into it. */
export const TOKEN_LIMIT = 8192

/** RFC 6750, section 2.1: `b64token`. */
const TOKEN = /^[A-Za-z0-9\-._~+/]+=*$/
const SCHEME = /^bearer(?: +(.*))?$/is
const SPACE = 32

/**
 * Every Authorization header of a request, from the names and values as they came on the wire. Node's
 * `headers` keeps only the first of two, and so hides that a second one came.
 */
export function authorizationOf(rawHeaders: readonly string[]): string | string[] | undefined {
  let found: string | string[] | undefined
  for (let at = 0; at < rawHeaders.length; at += 2) {
    const name = rawHeaders[at]
    if (name?.length !== 13 || name.toLowerCase() !== 'authorization') continue
    const value = rawHeaders[at + 1] ?? ''
    found = found === undefined ? value : [found, value].flat()
  }
  return found
}

/**
 * What stands after `Bearer` (RFC 6750, section 2.1; the scheme in any case, RFC 9110, section 11.1), at
 * most {@link TOKEN_LIMIT} long and not yet checked for its characters.
 * @throws AppError `unauthorized`, without an error code where no Bearer token came
 */
export function bearerToken(authorization: string | readonly string[] | undefined): string {
  const header = onlyOne(authorization)
  const token =
    header.startsWith('Bearer ') && header.charCodeAt(7) !== SPACE
      ? header.slice(7)
      : (SCHEME.exec(header)?.[1] ?? '')
  if (token === '') throw refusal('no_token')
  if (token.length > TOKEN_LIMIT) throw refusal('too_long')
  return token
}

/**
 * Apart from {@link bearerToken}, so that a token that has been verified before is not read again.
 * @throws AppError `unauthorized`
 */
export function checkCharacters(token: string): void {
  if (!TOKEN.test(token)) throw refusal('malformed')
}

function onlyOne(authorization: string | readonly string[] | undefined): string {
  if (typeof authorization === 'string') return authorization
  if (authorization === undefined || authorization.length === 0) throw refusal('no_token')
  const [first, second] = authorization
  if (first === undefined || second !== undefined) throw refusal('malformed')
  return first
}
