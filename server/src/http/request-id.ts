import { randomUUID } from 'node:crypto'
import type { IncomingMessage } from 'node:http'

// Only a later version may say more behind these parts.
const TRACEPARENT =
  /^(?!ff)[0-9a-f]{2}-(?!0{32})([0-9a-f]{32})-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}(?:(?<!^00.*)-.*)?$/

/** The trace id of a well-formed `traceparent` (W3C Trace Context, section 3.2), or a new one of its form. */
export function requestId(request: IncomingMessage): string {
  return tracedBy(request)?.split('-')[1] ?? randomUUID().replaceAll('-', '')
}

/** The caller's `traceparent`, where it is well-formed. */
export function tracedBy(request: IncomingMessage): string | undefined {
  const { traceparent } = request.headers
  return typeof traceparent === 'string' && TRACEPARENT.test(traceparent) ? traceparent : undefined
}
