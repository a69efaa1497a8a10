import { isTicketHeld } from '../conversation/conversation.store.ts'
import { isDatabaseAway } from '../database/pool.ts'
import { unavailable } from '../errors.ts'
import { idempotencyConflict } from './idempotency.ts'
import { isKeyHeld } from './new-ticket.store.ts'

/** What of the service's needs was away, in the words of an answer, and when that was last. */
export class Outages {
  /** When something could last not be kept or read, by `performance.now()`. */
  last = Number.NEGATIVE_INFINITY

  /**
   * @throws AppError `unavailable` where the database is away, or one ticket is locked for too long, which is no
   *   outage; `idempotency_conflict` where a key is waited for
   */
  async database<T>(answer: PromiseLike<T>): Promise<T> {
    try {
      return await answer
    } catch (error) {
      if (isKeyHeld(error)) throw idempotencyConflict()
      if (isTicketHeld(error)) throw unavailable('Somebody else is at work on the ticket.', 1, error)
      if (!isDatabaseAway(error)) throw error
      this.last = performance.now()
      throw unavailable('The database is away.', 2, error)
    }
  }

  /** The disk is full or gone: the operator's to mend, and safe to try again. @throws AppError `unavailable` */
  async disk<T>(kept: PromiseLike<T>): Promise<T> {
    try {
      return await kept
    } catch (error) {
      this.last = performance.now()
      throw unavailable('The attachment cannot be stored now.', 5, error)
    }
  }
}
