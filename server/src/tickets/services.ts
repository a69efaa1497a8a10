import type { ConversationDeps } from '../conversation/conversation.ts'
import { FollowUpService } from './follow-up.service.ts'
import { KeysInFlight } from './idempotency.ts'
import { Outages } from './outage.ts'
import { TicketReader } from './ticket.reader.ts'
import { TicketService, type TicketServiceDeps } from './ticket.service.ts'

/** What is done about tickets, in parts that share the keys in flight and what is known of outages. */
export function createTicketServices(
  deps: Omit<TicketServiceDeps, 'keys' | 'outages'> & {
    conversation: ConversationDeps
    /** What cursors are signed with. */
    signingSecret: Buffer
  },
) {
  const shared = { ...deps, keys: new KeysInFlight(), outages: new Outages() }
  const reader = new TicketReader(shared)
  return {
    service: new TicketService(shared),
    reader,
    followUps: new FollowUpService({ ...shared, reader }),
    /** With what other ways in do something once for a key. */
    onceDeps: { database: shared.database, keys: shared.keys, outages: shared.outages },
    /** When something could last not be kept or read, by `performance.now()`. */
    lastOutage: () => shared.outages.last,
  }
}
