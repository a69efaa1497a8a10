/**
 * What mail programs put before the subject of an answer, in English, German, Swedish and Dutch. No two runs of white
 * space stand beside each other in it: over a subject of nothing else it would take their square in time.
 */
const PREFIX = /\s*(?:re|aw|sv|antw)\s*(?:(?:\[\d{1,9}\]|\(\d{1,9}\))\s*)?[:\uff1a]\s*/iy

/** The subject without what says that it is an answer. */
export function bareSubject(subject: string): string {
  let start = 0
  PREFIX.lastIndex = 0
  while (PREFIX.test(subject)) start = PREFIX.lastIndex
  return subject.slice(start)
}

/** `Re: ` once, whatever the subject begins with (RFC 5322, section 3.6.5). */
export function answerSubject(subject: string): string {
  return `Re: ${bareSubject(subject)}`.trimEnd()
}
