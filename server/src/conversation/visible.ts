import type { Executor } from '../database/pool.ts'

export type Author = 'customer' | 'agent' | 'participant' | 'system' | 'note'

/** What decides whether a customer may see a message. */
export type Visibility = { author: Author; heldFor: string | null; automatic: boolean }

/**
 * The one rule of what a customer may see of a ticket: no internal note, nothing that is held, nothing that a
 * machine wrote. Whatever is not visible moves nothing that a customer could notice. The same rule for SQL is
 * {@link visibleToCustomer}; a change is made in both.
 */
export function isVisibleToCustomer({ author, heldFor, automatic }: Visibility): boolean {
  return author !== 'note' && heldFor === null && !automatic
}

/** The rule of {@link isVisibleToCustomer} as a condition on `messages` under the alias `m`. */
export function visibleToCustomer(sql: Executor) {
  return sql`(m.author <> 'note' AND m.held_for IS NULL AND NOT m.automatic)`
}
