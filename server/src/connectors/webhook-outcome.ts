import { attemptResult } from './attempt-result.ts'
import type { AttemptResult } from './connector.ts'

/** Asked to come again, or the desk is not well (RFC 9110, section 15; RFC 8470; RFC 6585). */
const COME_AGAIN = new Set([408, 425, 429])
/** The desk does not know us, or is not there any more. */
const OPERATOR = new Set([401, 403, 404, 410])

/**
 * What the status of a webhook's answer means.
 *
 * | status | outcome |
 * | --- | --- |
 * | 2xx | `delivered` |
 * | 408, 425, 429, 5xx | `retry`, after Retry-After |
 * | 3xx | `retry`, with an alarm: redirects are not followed |
 * | any other 4xx | `permanent` |
 * | what is no status of HTTP | `retry`, with an alarm |
 * @param now for a Retry-After that is a date
 */
export function webhookOutcome(
  status: number,
  retryAfter: string | undefined,
  answer: string | null,
  now: number,
): AttemptResult {
  const code = `http_${status}`
  if (status >= 200 && status < 300) return attemptResult('delivered', code, { answer })
  if (COME_AGAIN.has(status) || (status >= 500 && status < 600)) {
    return attemptResult('retry', code, { answer, retryAfter: readRetryAfter(retryAfter, now) })
  }
  if (status >= 400 && status < 500) {
    return attemptResult('permanent', code, { answer, alarm: OPERATOR.has(status) })
  }
  return attemptResult('retry', code, { answer, alarm: true })
}

/** Retry-After in milliseconds from `now`; null where it is neither seconds nor a date (RFC 9110, section 10.2.3). */
function readRetryAfter(value: string | undefined, now: number): number | null {
  const text = value?.trim() ?? ''
  if (/^\d{1,9}$/.test(text)) return Number(text) * 1000
  const date = /^[A-Z][a-z]{2,8},? /.test(text) ? Date.parse(text) : Number.NaN
  return Number.isNaN(date) ? null : Math.max(0, date - now)
}
