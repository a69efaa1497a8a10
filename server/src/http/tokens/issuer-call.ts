import { Agent, errors, request } from 'undici'

/**
 * Milliseconds. Whatever an issuer does, a judgement ends within `keys` or `introspection`, and both lie
 * below the 10 s within which a caller is promised an answer.
 */
export type IssuerTimeouts = {
  connect: number
  /** Without a byte of the answer, before its headers and between two pieces of its body. */
  idle: number
  /** For the discovery and the keys together, so that an answer that drips ends too. */
  keys: number
  introspection: number
}

export const ISSUER_TIMEOUTS: IssuerTimeouts = {
  connect: 3_000,
  idle: 5_000,
  keys: 8_000,
  introspection: 5_000,
}

/** Bytes of an answer that are read. */
export const ANSWER_LIMIT = 256 * 1024

/** What was wrong with an issuer's answer: a stable code for logs and metrics. */
export type IssuerFault =
  | 'unreachable'
  | 'timeout'
  | 'redirect'
  | 'status'
  | 'too_large'
  | 'not_json'
  | 'invalid'

/** An issuer that did not answer as it should. It holds nothing of what was asked or answered. */
export class IssuerCallError extends Error {
  override readonly name = 'IssuerCallError'
  readonly fault: IssuerFault
  /** The HTTP status, where there was one. */
  readonly status: number | null

  constructor(fault: IssuerFault, status: number | null = null) {
    super(`the issuer's answer: ${fault}${status === null ? '' : ` ${status}`}`)
    this.fault = fault
    this.status = status
  }
}

export type IssuerAnswer = { text: string; json: Record<string, unknown> }

export type IssuerQuestion = {
  /** The exact `iss`. */
  issuer: string
  about: 'discovery' | 'keys' | 'token'
  url: string
  /** 404 says that what is asked for is elsewhere, and is no fault of the issuer's. */
  mayBeElsewhere?: boolean
  /** Posted, with client authentication; without one the question is a GET. */
  form?: { body: string; authorization: string }
}

/** One question and how it ended, for logs and metrics. */
export type IssuerCall = {
  issuer: string
  about: IssuerQuestion['about']
  /** Null where the answer was as it should be. */
  fault: IssuerFault | null
  status: number | null
  milliseconds: number
}

/** The one way out to issuers: bounded in time and size, and no redirect is followed. */
export type IssuerCalls = {
  /**
   * @returns the JSON object that came with 200
   * @throws IssuerCallError for everything else
   */
  ask(question: IssuerQuestion, signal: AbortSignal): Promise<IssuerAnswer>
  close(): Promise<void>
}

export function createIssuerCalls(
  timeouts: Pick<IssuerTimeouts, 'connect' | 'idle'>,
  onCall: (call: IssuerCall) => void = () => undefined,
): IssuerCalls {
  const dispatcher = new Agent({
    connect: { timeout: timeouts.connect },
    headersTimeout: timeouts.idle,
    bodyTimeout: timeouts.idle,
    maxResponseSize: ANSWER_LIMIT,
  })

  async function once({ url, form }: IssuerQuestion, signal: AbortSignal): Promise<IssuerAnswer> {
    const { statusCode, body } = await request(url, {
      dispatcher,
      signal,
      method: form === undefined ? 'GET' : 'POST',
      headers: { accept: 'application/json', ...(form === undefined ? {} : formHeaders(form)) },
      body: form?.body ?? null,
    })
    if (statusCode !== 200) {
      // Read to its end behind the answer, so that the connection can serve again.
      body.dump({ limit: 16_384, signal }).catch(() => undefined)
      throw new IssuerCallError(statusCode >= 300 && statusCode < 400 ? 'redirect' : 'status', statusCode)
    }
    const text = await body.text()
    return { text, json: jsonObject(text) }
  }

  /** A connection kept from before may have been closed as we wrote to it. To ask twice does no harm. */
  async function twiceIfBroken(question: IssuerQuestion, signal: AbortSignal): Promise<IssuerAnswer> {
    try {
      return await once(question, signal)
    } catch (error) {
      if (!isBrokenConnection(error) || signal.aborted) throw error
      return once(question, signal)
    }
  }

  return {
    async ask(question, signal) {
      const startedAt = performance.now()
      const { issuer, about, mayBeElsewhere = false } = question
      const ended = (fault: IssuerFault | null, status: number | null) =>
        onCall({ issuer, about, fault, status, milliseconds: performance.now() - startedAt })
      try {
        const answer = await twiceIfBroken(question, signal)
        ended(null, 200)
        return answer
      } catch (error) {
        const callError = asCallError(error)
        ended(mayBeElsewhere && callError.status === 404 ? null : callError.fault, callError.status)
        throw callError
      }
    },
    close: () => dispatcher.destroy(),
  }
}

function formHeaders({ authorization }: { authorization: string }): Record<string, string> {
  return { 'content-type': 'application/x-www-form-urlencoded', authorization }
}

function jsonObject(text: string): Record<string, unknown> {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch {
    throw new IssuerCallError('not_json', 200)
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw new IssuerCallError('invalid', 200)
  return Object.fromEntries(Object.entries(value))
}

function isBrokenConnection(error: unknown): boolean {
  return ['UND_ERR_SOCKET', 'ECONNRESET', 'EPIPE'].includes(codeOf(error))
}

function asCallError(error: unknown): IssuerCallError {
  if (error instanceof IssuerCallError) return error
  if (error instanceof errors.ResponseExceededMaxSizeError) return new IssuerCallError('too_large')
  const isTimeout =
    (error instanceof Error && error.name === 'TimeoutError') ||
    ['UND_ERR_CONNECT_TIMEOUT', 'UND_ERR_HEADERS_TIMEOUT', 'UND_ERR_BODY_TIMEOUT'].includes(codeOf(error))
  return new IssuerCallError(isTimeout ? 'timeout' : 'unreachable')
}

function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : ''
}
