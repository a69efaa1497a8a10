import { Readable } from 'node:stream'
import { Agent, type Dispatcher } from 'undici'
import type { WebhookDesk } from '../config.ts'
import { attemptResult } from './attempt-result.ts'
import { ANSWER_LIMIT, type AttemptResult, type Connector } from './connector.ts'
import { errorCode, networkFault } from './network-fault.ts'
import { type ComposedWebhook, composeWebhook } from './webhook-message.ts'
import { webhookOutcome } from './webhook-outcome.ts'
import { reach } from './webhook-reach.ts'
import { readSecret, signWebhook } from './webhook-signature.ts'

/** In milliseconds. */
export type WebhookTimeouts = {
  /** From the name look-up to the end of TLS. */
  connect: number
  /** Until the head of the answer is there. */
  headers: number
  /** For the text of the answer, which is only kept for people to read. */
  body: number
  /** For the whole attempt, whatever the desk does. */
  attempt: number
}

export const WEBHOOK_TIMEOUTS: WebhookTimeouts = {
  connect: 5000,
  headers: 20_000,
  body: 5000,
  attempt: 50_000,
}

/** Idle connections are closed before the desk's server would: it rarely keeps them for less than 5 s. */
const KEEP_ALIVE = 2000
const CONNECTIONS = 8

/** A helpdesk elsewhere, called as Standard Webhooks 1.0.0 says. */
export function createWebhookConnector(
  desk: WebhookDesk,
  now: () => number,
  timeouts: WebhookTimeouts = WEBHOOK_TIMEOUTS,
): Connector {
  const url = new URL(desk.url)
  const key = readSecret(desk.secret)
  const agent = new Agent({
    connect: { timeout: timeouts.connect },
    connections: CONNECTIONS,
    allowH2: false,
    pipelining: 1,
    headersTimeout: timeouts.headers,
    bodyTimeout: timeouts.body,
    keepAliveTimeout: KEEP_ALIVE,
    keepAliveMaxTimeout: KEEP_ALIVE,
  })

  async function call(id: string, body: ComposedWebhook, signal: AbortSignal): Promise<AttemptResult> {
    const seconds = Math.floor(now() / 1000)
    const signature = await signWebhook(key, id, seconds, body)
    let stage: 'connecting' | 'sending' | 'sent' = 'connecting'
    const watched = watch(body, (next) => {
      stage = next
    })
    try {
      const response = await agent.request({
        origin: url.origin,
        path: `${url.pathname}${url.search}`,
        method: 'POST',
        headers: {
          'content-type': 'application/json',
          'content-length': String(body.size),
          'user-agent': 'bellhop',
          'webhook-id': id,
          'webhook-timestamp': String(seconds),
          'webhook-signature': signature,
        },
        body: Readable.from(watched, { objectMode: false }),
        signal,
      })
      const answer = await readAnswer(response.body, timeouts.body)
      return webhookOutcome(response.statusCode, header(response.headers, 'retry-after'), answer, now())
    } catch (error) {
      return brokenOff(error, stage, signal)
    }
  }

  return {
    name: 'webhook',
    atCommit: false,
    async send(message, signal) {
      const limit = AbortSignal.any([signal, AbortSignal.timeout(timeouts.attempt)])
      // What a desk has had already it knows by this id: that of the message, or of what else is told.
      const id = message.kind === 'message' ? message.messageId : message.deliveryId
      return call(id, await composeWebhook(message), limit)
    },
    verify: (signal) => reach(url, AbortSignal.any([signal, AbortSignal.timeout(timeouts.connect)])),
    close: () => agent.close(),
  }
}

/**
 * The body in pieces. undici asks for them only once it is connected, and the desk cannot have all of it
 * before the last was asked for: that is how a break before the request is told from one after it.
 */
function* watch(body: ComposedWebhook, reach: (stage: 'sending' | 'sent') => void): Generator<Buffer> {
  reach('sending')
  let handed = 0
  for (const piece of body.pieces()) {
    handed += piece.length
    if (handed === body.size) reach('sent')
    yield piece
  }
}

function brokenOff(
  error: unknown,
  stage: 'connecting' | 'sending' | 'sent',
  signal: AbortSignal,
): AttemptResult {
  const outcome = stage === 'sent' ? 'uncertain' : 'retry'
  if (signal.aborted) {
    const deadline = signal.reason instanceof DOMException && signal.reason.name === 'TimeoutError'
    return attemptResult(outcome, deadline ? 'attempt_timeout' : 'aborted')
  }
  const fault = networkFault(errorCode(error))
  if (stage !== 'sent') return attemptResult('retry', fault.code, { alarm: fault.alarm })
  const code = fault.code === 'connection_lost' ? 'connection_lost_after_request' : fault.code
  return attemptResult('uncertain', code)
}

/** The start of the answer's text. It decides nothing, so whatever cuts it short is no fault. */
async function readAnswer(body: Dispatcher.ResponseData['body'], wait: number): Promise<string> {
  const chunks: Buffer[] = []
  let size = 0
  // A body that is given up is destroyed with an error that nobody waits for.
  body.on('error', () => {})
  const timer = setTimeout(() => body.destroy(), wait)
  try {
    for await (const chunk of body) {
      chunks.push(chunk)
      size += chunk.length
      if (size >= ANSWER_LIMIT * 4) break
    }
  } catch {
    // The status is known, and with it the outcome.
  } finally {
    clearTimeout(timer)
    body.destroy()
  }
  return Buffer.concat(chunks).toString()
}

function header(headers: Dispatcher.ResponseData['headers'], name: string): string | undefined {
  const value = headers[name]
  return Array.isArray(value) ? value[0] : value
}
