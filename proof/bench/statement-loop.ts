/**
 * The database's own limit: the statement by which Bellhop keeps a ticket, one ticket in each, by the same
 * driver and as many connections, with nothing before it and nothing behind it.
 */
import postgres from 'postgres'
import { newUuid } from '../../server/src/ids.ts'
import { insertTickets, type NewTicketRow } from '../../server/src/tickets/new-ticket.store.ts'
import { serveAsPeer } from './peer.ts'
import type { SocketEndpoint } from './postgres.ts'

/** As many callers at once, for so many seconds. */
export type StatementLoopQuestion = { callers: number; seconds: number }

async function startLoop({ endpoint }: { endpoint: SocketEndpoint }) {
  const { path, user, password, database } = endpoint
  const sql = postgres({ path, user, password, database, max: 16, fetch_types: false })
  const body = 'It was due on Monday, and the page only says that it is on its way. '.repeat(8)

  function newRow(): NewTicketRow {
    return {
      brandId: 'acme',
      ticketId: newUuid(),
      messageId: newUuid(),
      issuer: 'https://demo.bellhop.invalid',
      personId: 'per_ada',
      requesterEmail: 'ada@example.com',
      requesterName: 'Ada Lovelace',
      addressProven: false,
      subject: 'My order has not arrived',
      body,
      actor: 'person',
      actorId: null,
      auditId: newUuid(),
      delivery: {
        deliveryId: newUuid(),
        connector: 'inbox',
        mailMessageId: null,
        state: 'delivered',
        lockedBy: null,
        lease: 0,
      },
      acknowledgement: null,
      attachments: [],
      key: null,
    }
  }

  async function answer({ callers, seconds }: StatementLoopQuestion): Promise<number> {
    const started = performance.now()
    const until = started + seconds * 1000
    let kept = 0
    await Promise.all(
      Array.from({ length: callers }, async () => {
        while (performance.now() < until) {
          await insertTickets(sql, [newRow()], 2000)
          kept++
        }
      }),
    )
    return kept / ((performance.now() - started) / 1000)
  }
  return { ready: null, answer }
}

serveAsPeer(startLoop)
