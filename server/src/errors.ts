/**
 * Every error that a caller can meet, and the one table from its code to its HTTP status.
 *
 * An error outside this union is a bug: it is logged once with its cause and answers `internal_error`
 * without detail.
 */
export const STATUS = {
  // What HTTP itself cannot parse.
  bad_request: 400,
  request_timeout: 408,
  uri_too_long: 414,
  headers_too_large: 431,
  not_found: 404,
  method_not_allowed: 405,
  // Who is calling.
  unauthorized: 401,
  forbidden_person: 403,
  forbidden_brand: 403,
  insufficient_scope: 403,
  // What they sent.
  unsupported_media_type: 415,
  payload_too_large: 413,
  invalid_json: 400,
  validation_error: 400,
  unknown_brand: 400,
  invalid_attachment: 400,
  idempotency_conflict: 409,
  idempotency_mismatch: 422,
  ticket_closed: 409,
  rate_limited: 429,
  // What became of it.
  upstream_error: 400,
  unavailable: 503,
  internal_error: 500,
} as const

export type ErrorCode = keyof typeof STATUS

/** The body of every error answer. */
export type ErrorBody = { error: ErrorCode; message: string }

/** An error that is an answer. Its message is one sentence that says what to mend and repeats no value. */
export class AppError extends Error {
  override readonly name = 'AppError'
  readonly code: ErrorCode
  /** Headers that go with the answer: `retry-after`, `www-authenticate`, `allow`. */
  readonly headers: Record<string, string>

  constructor(
    code: ErrorCode,
    message: string,
    options: { headers?: Record<string, string>; cause?: unknown } = {},
  ) {
    super(message, { cause: options.cause })
    this.code = code
    this.headers = options.headers ?? {}
  }

  get status(): number {
    return STATUS[this.code]
  }

  get body(): ErrorBody {
    return { error: this.code, message: this.message }
  }
}

/**
 * The service, or something that it needs to judge the request, is away for now.
 * @param retryAfter seconds after which trying again makes sense
 */
export function unavailable(message: string, retryAfter: number, cause?: unknown): AppError {
  return new AppError('unavailable', message, { headers: { 'retry-after': String(retryAfter) }, cause })
}

/**
 * A mistake of the operator (configuration, environment, a second start): printed as it is, without a
 * stack trace, and the command exits with status 1.
 */
export class OperatorError extends Error {
  override readonly name = 'OperatorError'
}
