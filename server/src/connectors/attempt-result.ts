import { ANSWER_LIMIT, type AttemptResult, type Outcome } from './connector.ts'

/** An attempt's end; what is not said is null, and no alarm. */
export function attemptResult(
  outcome: Outcome,
  code: string,
  details: { answer?: string | null; retryAfter?: number | null; alarm?: boolean } = {},
): AttemptResult {
  return {
    outcome,
    code,
    answer: details.answer ? boundAnswer(details.answer) : null,
    retryAfter: details.retryAfter ?? null,
    alarm: details.alarm ?? false,
  }
}

/** A desk's own words, bounded, and with nothing in them that a terminal or the database would stumble over. */
function boundAnswer(text: string): string {
  const readable = text
    .slice(0, ANSWER_LIMIT)
    .toWellFormed()
    .replace(/\r?\n/g, ' ')
    .replace(/\p{Cc}/gu, '\ufffd')
  return readable
}
