/**
 * What a connector is: the code that carries a message to one kind of desk. It never touches the database
 * and keeps no state that another process needs.
 */

/**
 * How an attempt ended.
 *
 * | outcome | means | then |
 * | --- | --- | --- |
 * | `delivered` | the desk accepted the message | done |
 * | `retry` | nothing was taken | tried again, with back-off |
 * | `permanent` | it will never be taken | the delivery is `rejected` |
 * | `uncertain` | it may have been taken | tried again with the same Message-ID, counted apart |
 */
export type Outcome = 'delivered' | 'retry' | 'permanent' | 'uncertain'

export type AttemptResult = {
  outcome: Outcome
  /** A stable code for logs, metrics and the attempt's row: `smtp_550`, `http_503`, `connection_refused`. */
  code: string
  /** What the desk answered, as it said it, at most {@link ANSWER_LIMIT} characters; kept beside the attempt. */
  answer: string | null
  /** How long the desk asked to be left alone (Retry-After), in milliseconds. */
  retryAfter: number | null
  /** True where the operator has something to mend: credentials, TLS, a redirect. */
  alarm: boolean
}

export const ANSWER_LIMIT = 2000

export type OutgoingAttachment = {
  attachmentId: string
  filename: string
  /** The declared type, else the detected one, else `application/octet-stream`. */
  contentType: string
  /** Bytes. */
  size: number
  /** Lower-case hexadecimal. */
  sha256: string
  read(): Promise<Buffer>
}

export type OutgoingMessage = {
  brandId: string
  ticketId: string
  messageId: string
  personId: string
  requester: { email: string; name: string | null }
  subject: string
  body: string
  createdAt: Date
  /** The RFC 5322 Message-ID with its angle brackets, made before the first attempt; null where the desk has no use for one. */
  mailMessageId: string | null
  attachments: OutgoingAttachment[]
}

/** What `bellhop doctor` prints of a desk: one line, with what to do where it is not well. */
export type Verdict = { ok: boolean; detail: string }

export type Connector = {
  readonly name: string
  /** True where the ticket's own COMMIT is the delivery, and `send` is never called. */
  readonly atCommit: boolean
  /**
   * Makes one attempt. It never throws for what a desk may do, and ends when `signal` is aborted, with an
   * honest outcome.
   */
  send(message: OutgoingMessage, signal: AbortSignal): Promise<AttemptResult>
  /** Asks the desk, without sending anything, whether it would take a message now. */
  verify(signal: AbortSignal): Promise<Verdict>
  close(): Promise<void>
}
