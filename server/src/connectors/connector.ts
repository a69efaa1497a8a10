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
  /** The recipient's address takes no mail, and never will. */
  addressRefused?: true
  /** It was asked and answered about this recipient alone: for others it may well take a message. */
  ofRecipient?: true
  /** Nothing was asked, since what there is to carry cannot be: that says nothing of the outlet. */
  unasked?: true
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

export type TicketStatus = 'open' | 'pending' | 'solved' | 'closed'

/** Whom a delivery goes to: the people who answer, or the customer. */
export type Side = 'desk' | 'customer'

/**
 * What a delivery tells.
 *
 * | kind | side | means |
 * | --- | --- | --- |
 * | `message` | desk | what a customer or a participant said |
 * | `message` | customer | what an agent answered |
 * | `acknowledgement` | customer | the request came |
 * | `notice` | customer | there is an answer, and nothing of it |
 * | `status` | desk | a ticket's status changed |
 * | `returned` | desk | to the agent: the answer was not sent on |
 */
export type DeliveryKind = 'message' | 'acknowledgement' | 'notice' | 'status' | 'returned'

/** The name of the connector that carries mail to a brand's customers. */
export const CUSTOMER_MAIL = 'mail'

export type Speaker = { kind: 'customer' | 'agent' | 'participant' | 'system'; name: string | null }

/** The mails that a mail follows (RFC 5322, section 3.6.4): Message-IDs with their angle brackets. */
export type Thread = {
  /** The one before; null where it is the first. */
  inReplyTo: string | null
  /** The oldest first, at most 20, among them always the first of all. */
  references: string[]
}

export type OutgoingMessage = {
  /** `dlv_…`, the same on every attempt. */
  deliveryId: string
  side: Side
  kind: DeliveryKind
  /** The address; null: the desk as the brands file has it. */
  recipient: string | null
  brandId: string
  ticketId: string
  messageId: string
  /** Whether it is the ticket's first message. */
  first: boolean
  /** Null where the ticket came by mail and nobody has claimed it. */
  personId: string | null
  requester: { email: string; name: string | null }
  /** The ticket began with a mail, and nothing proves that it is from the address that it names. */
  unverified: boolean
  speaker: Speaker
  /** Empty in a notice. */
  subject: string
  /** Empty in a notice. */
  body: string
  /** The body as HTML made safe, where it came by mail with such; null in a notice. */
  html: string | null
  /** What a status delivery tells; null in all others. */
  status: TicketStatus | null
  /** The ticket's at the moment of the attempt. */
  ticketStatus: TicketStatus
  /** When it was said, and of a status delivery when the status changed. */
  createdAt: Date
  /** The RFC 5322 Message-ID with its angle brackets, made before the first attempt; null where the desk has no use for one. */
  mailMessageId: string | null
  thread: Thread
  /** Only of a `message`. */
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
