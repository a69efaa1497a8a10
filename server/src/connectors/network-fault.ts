/**
 * What went wrong below the protocol, in codes that stay the same whatever library reports it.
 */
export type NetworkFault = {
  code: string
  /** True where waiting mends nothing and the operator can: a certificate, a protocol, a permission. */
  alarm: boolean
}

const CODES: Record<string, string> = {
  ECONNREFUSED: 'connection_refused',
  ENOTFOUND: 'name_not_found',
  ENODATA: 'name_not_found',
  EDNS: 'name_not_found',
  EAI_AGAIN: 'name_lookup_failed',
  EHOSTUNREACH: 'unreachable',
  ENETUNREACH: 'unreachable',
  EADDRNOTAVAIL: 'unreachable',
  ETIMEDOUT: 'connection_timeout',
  UND_ERR_CONNECT_TIMEOUT: 'connection_timeout',
  UND_ERR_HEADERS_TIMEOUT: 'answer_timeout',
  UND_ERR_BODY_TIMEOUT: 'answer_timeout',
}

/** Names of OpenSSL's verification errors, and the prefixes of node's own (nodejs.org/api/errors.html, tls). */
const TLS =
  /^(ERR_SSL_|ERR_TLS_|ERR_OSSL_|EPROTO$|CERT_|CRL_|UNABLE_TO_|DEPTH_ZERO_|SELF_SIGNED_|ERROR_IN_CERT|INVALID_CA|INVALID_PURPOSE|PATH_LENGTH_|HOSTNAME_MISMATCH)/

/** Of an error of the socket, TLS or name service, by its `code`; anything else is a lost connection. */
export function networkFault(code: string | undefined): NetworkFault {
  if (code === undefined) return { code: 'connection_lost', alarm: false }
  if (TLS.test(code)) return { code: 'tls_failed', alarm: true }
  // llhttp's: what answers does not speak HTTP.
  if (code.startsWith('HPE_')) return { code: 'protocol_error', alarm: true }
  return { code: CODES[code] ?? 'connection_lost', alarm: false }
}

/** The `code` of a thrown value, its own or that of the first error it gathers (RFC 8305 tries several addresses). */
export function errorCode(error: unknown): string | undefined {
  if (error instanceof AggregateError && error.errors.length > 0) return errorCode(error.errors[0])
  // undici gives no code where the answer does not even begin as one of HTTP.
  if (error instanceof Error && error.name === 'HTTPParserError') return 'HPE_INVALID'
  if (error instanceof Error && 'code' in error && typeof error.code === 'string') return error.code
  return undefined
}
