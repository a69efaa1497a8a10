/** Where in a session a fault strikes. `body` is in the middle of a large message, `dot` after a message's end. */
export type Stage = 'banner' | 'ehlo' | 'starttls' | 'mail' | 'rcpt' | 'data' | 'body' | 'dot'

/** A reply other than the usual, or what a broken server does instead of one; `drip`: a byte each second. */
export type Act = 'drop' | 'reset' | 'stall' | 'drip' | 'noise' | 'wrong certificate' | { reply: string }

/** One way to strike, and the outcome and the code that the attempt must have in `attempts` then. */
export type Way = { stage: Stage; act: Act; end: string }

/** What a fault strikes by; a way is chosen for each attempt by the seed. */
export type Ways = {
  ways: Way[]
  /** True: sessions need TLS, by STARTTLS. */
  tls?: boolean
}

/** Stages that only the opening of a session has. */
export const OPENING: ReadonlySet<Stage> = new Set<Stage>(['banner', 'ehlo', 'starttls'])

function each(stages: Stage[], act: Act, end: string): Way[] {
  return stages.map((stage) => ({ stage, act, end }))
}

export const DROPPED_BEFORE: Ways = {
  ways: each(['mail', 'rcpt', 'data', 'body'], 'drop', 'retry connection_lost'),
}

export const DROPPED_AFTER: Ways = { ways: each(['dot'], 'drop', 'uncertain connection_lost_after_data') }

/** 5xx to the greeting or to MAIL speaks of the sender and not of the message: it is no refusal for good. */
export const PASSING_REPLIES: Ways = {
  ways: [
    { stage: 'banner', act: { reply: '421 too busy' }, end: 'retry smtp_421' },
    { stage: 'banner', act: { reply: '554 no service here' }, end: 'retry smtp_554' },
    { stage: 'mail', act: { reply: '451 not now' }, end: 'retry smtp_451' },
    { stage: 'mail', act: { reply: '553 sender unknown' }, end: 'retry smtp_553' },
    { stage: 'rcpt', act: { reply: '450 greylisted' }, end: 'retry smtp_450' },
    { stage: 'data', act: { reply: '451 not now' }, end: 'retry smtp_451' },
    { stage: 'dot', act: { reply: '452 disk full' }, end: 'retry smtp_452' },
  ],
}

export const FINAL_REPLIES: Ways = {
  ways: [
    { stage: 'rcpt', act: { reply: '550 5.1.1 no such mailbox' }, end: 'permanent smtp_550' },
    { stage: 'data', act: { reply: '554 not this' }, end: 'permanent smtp_554' },
    { stage: 'dot', act: { reply: '552 too big' }, end: 'permanent smtp_552' },
  ],
}

export const STALLS: Ways = {
  ways: [
    { stage: 'banner', act: 'stall', end: 'retry greeting_timeout' },
    ...each(['ehlo', 'mail', 'rcpt', 'data', 'body'], 'stall', 'retry answer_timeout'),
    { stage: 'dot', act: 'stall', end: 'uncertain answer_timeout' },
  ],
}

export const SLOW_BYTES: Ways = {
  ways: [
    { stage: 'banner', act: 'drip', end: 'retry greeting_timeout' },
    ...each(['ehlo', 'mail', 'rcpt', 'data', 'body'], 'drip', 'retry attempt_timeout'),
    { stage: 'dot', act: 'drip', end: 'uncertain attempt_timeout' },
  ],
}

export const RESETS: Ways = {
  ways: [
    ...each(['banner', 'ehlo', 'mail', 'rcpt', 'data', 'body'], 'reset', 'retry connection_lost'),
    { stage: 'dot', act: 'reset', end: 'uncertain connection_lost_after_data' },
  ],
}

export const TLS_FAILURES: Ways = {
  tls: true,
  ways: [
    { stage: 'starttls', act: { reply: '454 TLS not available' }, end: 'retry tls_failed' },
    { stage: 'starttls', act: { reply: '502 no such command' }, end: 'retry tls_failed' },
    { stage: 'starttls', act: 'noise', end: 'retry tls_failed' },
    { stage: 'starttls', act: 'wrong certificate', end: 'retry tls_failed' },
  ],
}

/**
 * What a strike leaves in `attempts`: outcome and code; null: nothing. A session that has carried a message
 * before and turns out to be dead is replaced within the attempt.
 */
export function endOf(way: Way, reused: boolean): string | null {
  const isBreak = way.act === 'drop' || way.act === 'reset'
  return reused && isBreak && way.stage !== 'dot' ? null : way.end
}

/**
 * Whether the desk reads a message's rest slowly or not at all: its end may then stand in the kernel's buffers
 * or not when the time is up, which the desk cannot see. `uncertain` is right there too, and errs to the safe side.
 */
export function isUnseen({ stage, act }: Way): boolean {
  return stage === 'body' && (act === 'drip' || act === 'stall')
}
