import { randomBytes } from 'node:crypto'
import { setTimeout as pause } from 'node:timers/promises'
import { CallerConnection } from '../caller-connection.ts'
import type { Person } from '../issuer.ts'
import type { Ledger } from '../ledger.ts'

/** Decoded, just under the most that is taken: no socket's buffers hold a mail with it whole. */
const LARGE_BYTES = 10 * 1024 * 1024 - 1024
const CALLERS = 50
/** An answer may wait for the desk as long as the brands file says, and a large ticket takes its time. */
const PATIENCE_MS = 60_000
/** Milliseconds before a ticket that was not taken is asked for again, and after which it is given up. */
const AGAIN_MS = 250
const LIMIT_MS = 120_000

export type FiledTicket = { key: string; brand: string; request: Buffer; status: number }

export type FilingOptions = {
  port: number
  persons: Person[]
  ledger: Ledger
  signal: AbortSignal
}

/**
 * Files so many tickets of each brand, in turn, each with an Idempotency-Key and until it is answered.
 * @param large how many of them have an attachment of nearly 10 MiB
 */
export async function fileTickets(
  brands: string[],
  each: number,
  large: number,
  options: FilingOptions,
): Promise<FiledTicket[]> {
  const { persons, ledger } = options
  const attachment = large > 0 ? randomBytes(LARGE_BYTES).toString('base64') : ''
  const count = brands.length * each
  // An odd distance, so that they are of many brands.
  const distance = Math.ceil(count / Math.max(1, large)) | 1
  const isLarge = (at: number) => large > 0 && at % distance === 0
  const tickets = Array.from({ length: count }, (_, at): FiledTicket => {
    const [brand, person] = [brands[at % brands.length], persons[at % persons.length]]
    if (brand === undefined || person === undefined) throw new Error('nobody files')
    const key = `${ledger.run}-${ledger.begin()}`
    return { key, brand, request: requestOf(key, brand, person, isLarge(at) ? attachment : ''), status: 0 }
  })
  await ask(tickets, options)
  return tickets
}

/** Asks for tickets, for the first time or again, until each is answered. */
export async function ask(tickets: FiledTicket[], options: FilingOptions): Promise<void> {
  const left = [...tickets]
  await Promise.all(
    Array.from({ length: CALLERS }, async () => {
      const connection = new CallerConnection()
      for (let ticket = left.shift(); ticket !== undefined; ticket = left.shift()) {
        await untilAnswered(connection, ticket, options)
      }
      connection.close()
    }),
  )
}

/** A machine that is busy with the faults too may be full for a while: then it is asked again. */
async function untilAnswered(
  connection: CallerConnection,
  ticket: FiledTicket,
  { port, ledger, signal }: FilingOptions,
): Promise<void> {
  for (const limit = performance.now() + LIMIT_MS; ; await pause(AGAIN_MS)) {
    signal.throwIfAborted()
    const answer = await connection.send(port, ticket.request, PATIENCE_MS)
    ledger.note(ticket.key, ticket.brand, answer)
    if (typeof answer !== 'string' && answer.status !== 503) {
      ticket.status = answer.status
      return
    }
    if (performance.now() > limit) throw new Error('a ticket was not answered in time')
  }
}

function requestOf(key: string, brand: string, person: Person, attachment: string): Buffer {
  const body = JSON.stringify({
    brand_id: brand,
    person_id: person.id,
    requester_email: 'ada@example.com',
    requester_name: 'Ada Lovelace',
    subject: `About ${key}`,
    body: `${key} has not arrived.`,
    ...(attachment === ''
      ? {}
      : { attachment: { filename: 'photo.bin', content_type: 'image/png', content_base64: attachment } }),
  })
  return Buffer.from(
    `POST /v1/support/tickets HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer ${person.token}\r\n` +
      `Content-Type: application/json\r\nIdempotency-Key: ${key}\r\n` +
      `Content-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`,
  )
}
