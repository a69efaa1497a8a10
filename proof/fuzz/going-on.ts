import type { Answer } from './answer.ts'
import type { Case } from './case.ts'
import type { Receipt } from './perform.ts'
import { type Operation, pathOf, type Surface } from './surface.ts'

type Ask = (one: Case) => Promise<Answer>

/**
 * What a person does on their ticket, and nobody else may: says more, solves it, reads it once more, lists it.
 * @throws Error that says what was wrong
 */
export async function goOn(surface: Surface, one: Case, { ticket_id }: Receipt, ask: Ask): Promise<void> {
  const { more, stranger = '', reader = '', sent } = one
  const find = (method: string, end: string) => {
    const found = surface.operations.find(({ name }) => name === `${method} /v1/support/tickets${end}`)
    if (found === undefined) throw new Error(`the document does not have ${method} …${end}`)
    return found
  }
  const [saying, solving] = [find('POST', '/{ticket_id}/messages'), find('PATCH', '/{ticket_id}')]
  const [reading, listing] = [find('GET', '/{ticket_id}'), find('GET', '')]
  const said = Buffer.from(JSON.stringify(more))
  const solved = Buffer.from(JSON.stringify({ status: 'solved' }))

  await ask(asking(saying, ticket_id, stranger, said, 404))
  await ask(asking(solving, ticket_id, stranger, solved, 404))
  if ((await ask(asking(saying, ticket_id, reader, said, 201))).status !== 201) return
  if ((await ask(asking(solving, ticket_id, reader, solved, 200))).status !== 200) return
  const answer = await ask(asking(reading, ticket_id, reader, null, 200))
  if (answer.status !== 200) return
  const ticket = JSON.parse(answer.text)
  const bodies = ticket.messages.map((message: { body: string }) => message.body)
  if (JSON.stringify(bodies) !== JSON.stringify([sent?.body, more?.body]) || ticket.status !== 'solved') {
    throw new Error('a ticket that was gone on with is not as it was said')
  }
  const again = asking(reading, ticket_id, reader, null, 304)
  await ask({ ...again, headers: [...again.headers, ['If-None-Match', answer.headers.get('etag') ?? '']] })
  const list = asking(listing, ticket_id, reader, null, 200)
  await ask({ ...list, target: `${listing.path}?brand_id=${encodeURIComponent(ticket.brand_id)}&limit=1` })
}

function asking(
  operation: Operation,
  ticketId: string,
  token: string,
  body: Buffer | null,
  status: number,
): Case {
  const headers: Case['headers'] = [['Authorization', `Bearer ${token}`]]
  if (body !== null) headers.push(['Content-Type', 'application/json'])
  return {
    ...{ what: `${operation.name}, as it should be`, operation: operation.name, method: operation.method },
    ...{ target: pathOf(operation, ticketId), headers, body, expect: [status] },
  }
}
