/**
 * The moments at which a crash hurts most. The program passes them and does nothing; a test that proves that
 * nothing is lost kills the process there.
 *
 * | point | the ticket is | then |
 * | --- | --- | --- |
 * | `before_commit` | nowhere | the caller got no answer, and tries again |
 * | `after_commit` | kept | nobody was asked to carry it yet: the lease runs out and a worker does |
 * | `before_attempt` | kept | the same |
 * | `after_attempt` | kept, and perhaps carried | it is carried again, with the same Message-ID |
 */
export type CrashPoint = 'before_commit' | 'after_commit' | 'before_attempt' | 'after_attempt'

export type Pass = (point: CrashPoint) => void

export const pass: Pass = () => {}
