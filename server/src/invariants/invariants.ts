import type { Sql } from '../database/pool.ts'
import { CONVERSATION_INVARIANTS } from './conversation.invariants.ts'
import { type Counts, countAll } from './counts.store.ts'
import { DELIVERY_INVARIANTS } from './delivery.invariants.ts'
import { INBOUND_INVARIANTS } from './inbound.invariants.ts'
import { examine, type Finding, type Invariant } from './invariant.ts'
import { PROMISE_INVARIANTS } from './promise.invariants.ts'
import { TICKET_INVARIANTS } from './ticket.invariants.ts'

export const INVARIANTS: Invariant[] = [
  ...TICKET_INVARIANTS,
  ...CONVERSATION_INVARIANTS,
  ...PROMISE_INVARIANTS,
  ...DELIVERY_INVARIANTS,
  ...INBOUND_INVARIANTS,
]

/**
 * Looks at the whole database as it is at one moment, so that a server may go on filing and carrying. It uses
 * one core of the database's machine, and more memory than a request may, but takes no lock that anybody waits
 * for.
 * @param found hears of each invariant as it was examined
 */
export async function examineAll(sql: Sql, found: (finding: Finding) => void): Promise<Counts> {
  return sql.begin('isolation level repeatable read read only', async (transaction) => {
    // Far from the 15 s and the like that a request gets; the tables are read through.
    await transaction`SELECT set_config('work_mem', '64MB', true),
      set_config('max_parallel_workers_per_gather', '0', true), set_config('jit', 'off', true)`
    for (const invariant of INVARIANTS) found(await examine(transaction, invariant))
    return countAll(transaction)
  })
}
