/**
 * The moments at which a crash hurts most. The program passes them and does nothing; a test that proves that
 * nothing is lost kills the process there.
 *
 * Of a ticket, and of what a customer says on one:
 *
 * | point | it is | then |
 * | --- | --- | --- |
 * | `before_commit` | nowhere | the caller got no answer, and tries again |
 * | `after_commit` | kept | nobody was asked to carry it yet: the lease runs out and a worker does |
 * | `before_attempt` | kept | the same |
 * | `after_attempt` | kept, and perhaps carried | it is carried again, with the same Message-ID |
 *
 * Of a mail that came, whose bytes are safe:
 *
 * | point | the mail is | then |
 * | --- | --- | --- |
 * | `before_settle` | read, and nothing is said yet | the lease runs out, and it is settled by another |
 * | `in_settle` | said, before COMMIT | the same: nothing was said |
 * | `after_settle` | settled | what it made is carried by a worker |
 */
export type CrashPoint = TicketCrashPoint | MailCrashPoint
export type TicketCrashPoint = 'before_commit' | 'after_commit' | 'before_attempt' | 'after_attempt'
export type MailCrashPoint = 'before_settle' | 'in_settle' | 'after_settle'

export type Pass = (point: CrashPoint) => void

export const pass: Pass = () => {}
