import { once } from 'node:events'
import { type IncomingMessage, request } from 'node:http'
import { setTimeout as pause } from 'node:timers/promises'

export type Heard = { id: string | null; event: string | null; data: Record<string, unknown> }

export type Listener = {
  readonly status: number
  readonly headers: IncomingMessage['headers']
  readonly response: IncomingMessage
  /** All events so far. */
  events(): Heard[]
  /** All that came so far, as it came. */
  text(): string
  /** The last id, as a client keeps it. */
  lastId(): string | null
  /** When so many events have come. */
  heard(count: number): Promise<Heard[]>
  /** When the server has ended it, in whatever way. */
  readonly ended: Promise<void>
  hangUp(): void
}

/** Listens to a ticket's events on a connection of its own. @returns once it is greeted, or refused */
export async function listen(
  url: string,
  ticketId: string,
  headers: Record<string, string>,
): Promise<Listener> {
  const asked = request(`${url}/v1/support/tickets/${ticketId}/events`, { headers, agent: false }).end()
  const [response] = (await once(asked, 'response')) as [IncomingMessage]
  // A server that hangs up is heard by the end.
  asked.on('error', () => {})
  response.on('error', () => {})
  let text = ''
  response.setEncoding('utf8').on('data', (piece: string) => {
    text += piece
  })
  const ended = new Promise<void>((resolve) => {
    response.once('close', () => resolve())
  })
  if (response.statusCode === 200) await Promise.race([until(() => text.includes('\n\n')), ended])
  const blocks = () => text.split('\n\n').slice(0, -1).map(toBlock)
  const events = () => blocks().filter((block) => block !== null && 'type' in block.data) as Heard[]
  return {
    status: response.statusCode ?? 0,
    headers: response.headers,
    response,
    events,
    text: () => text,
    lastId: () => blocks().reduce<string | null>((last, block) => block?.id ?? last, null),
    async heard(count) {
      await until(() => events().length >= count)
      return events()
    },
    ended,
    hangUp: () => asked.destroy(),
  }
}

/** Waits for a condition, and fails where it does not come. */
export async function until(holds: () => boolean | Promise<boolean>, ms = 15_000): Promise<void> {
  const late = performance.now() + ms
  while (!(await holds())) {
    if (performance.now() > late) throw new Error('what was waited for did not come')
    await pause(10)
  }
}

function toBlock(block: string): Heard | null {
  const fields = new Map(
    block.split('\n').map((line) => {
      const colon = line.indexOf(': ')
      return [line.slice(0, colon), line.slice(colon + 2)]
    }),
  )
  const data = fields.get('data')
  return {
    id: fields.get('id') ?? null,
    event: fields.get('event') ?? null,
    data: data === undefined ? {} : JSON.parse(data),
  }
}
