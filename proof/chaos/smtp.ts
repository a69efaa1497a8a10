import type { Fault } from './fault.ts'
import { smtpFault } from './smtp/row.ts'
import {
  DROPPED_AFTER,
  DROPPED_BEFORE,
  FINAL_REPLIES,
  PASSING_REPLIES,
  RESETS,
  SLOW_BYTES,
  STALLS,
  TLS_FAILURES,
} from './smtp/ways.ts'

/** Processes beside the one that answers, for attempts that each hold one of its 100 places for up to 50 s. */
const WORKERS = 5

/** What mail servers do wrong: 200 desks, each with a circuit breaker of its own, fail five times and more. */
export const SMTP_FAULTS: Fault[] = [
  smtpFault({
    id: 'smtp-refused',
    title: 'SMTP: the connection is refused',
    times: { long: 1000, short: null },
    ways: null,
  }),
  smtpFault({
    id: 'smtp-dropped-before',
    title: "SMTP: dropped before the message's end: at MAIL, RCPT, DATA or in the middle of a large message",
    times: { long: 1000, short: null },
    ways: DROPPED_BEFORE,
    largeInHundred: 2,
  }),
  smtpFault({
    id: 'smtp-dropped-after',
    title: "SMTP: dropped after the message's end, before the answer",
    times: { long: 1000, short: 10 },
    ways: DROPPED_AFTER,
  }),
  smtpFault({
    id: 'smtp-4xx',
    title: 'SMTP: 4xx to the greeting, MAIL, RCPT, DATA or the message, or 5xx to the greeting or MAIL',
    times: { long: 1000, short: null },
    ways: PASSING_REPLIES,
  }),
  smtpFault({
    id: 'smtp-5xx',
    title: 'SMTP: 5xx to RCPT, DATA or the message; `bellhop deliveries retry` when it is mended',
    times: { long: 1000, short: 10 },
    ways: FINAL_REPLIES,
    wait: '30s',
  }),
  smtpFault({
    id: 'smtp-stall',
    title: 'SMTP: silence, at any stage',
    times: { long: 1000, short: null },
    ways: STALLS,
    largeInHundred: 2,
    workers: WORKERS,
  }),
  smtpFault({
    id: 'smtp-slow',
    title: 'SMTP: a byte a second, at any stage, and a large message read as slowly',
    times: { long: 1000, short: null },
    ways: SLOW_BYTES,
    largeInHundred: 2,
    workers: WORKERS,
  }),
  smtpFault({
    id: 'smtp-reset',
    title: 'SMTP: reset (RST), at any stage',
    times: { long: 1000, short: null },
    ways: RESETS,
    largeInHundred: 2,
  }),
  smtpFault({
    id: 'smtp-tls',
    title: 'SMTP: TLS fails: refused, garbage, a certificate that nobody signed',
    times: { long: 1000, short: null },
    ways: TLS_FAILURES,
  }),
]
