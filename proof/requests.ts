import { randomBytes } from 'node:crypto'
import { importJWK, SignJWT } from 'jose'
import { DEMO_AUDIENCE, DEMO_ISSUER } from '../server/src/demo.ts'
import { readOrMakeDemoKey } from '../server/src/demo-key.ts'
import type { Request } from './connection.ts'
import type { NextRequest } from './load.ts'

/** More than Bellhop remembers, so that a token which comes again has been forgotten. */
const FRESH = 25_000
const RETURNING = 1_000
/** Bytes that tell one file from another; a multiple of 3, so that base64 has no padding in the middle. */
const MARK_BYTES = 18

/** `fresh`: no token is remembered when it comes. `returning`: of persons who come back with theirs. */
export type TokenKind = 'fresh' | 'returning'

/** A person with an access token. */
export type Holder = { person: string; token: string }

const SUBJECT = 'My order has not arrived'
const BODY = 'It was due on Monday, and the page only says that it is on its way. '.repeat(8)

export function personsOf(kind: TokenKind): string[] {
  return Array.from({ length: kind === 'fresh' ? FRESH : RETURNING }, (_, index) => `per_${kind}_${index}`)
}

/** Persons with tokens of the demo issuer for the brand `acme`. */
export async function demoHolders(dataDir: string, kind: TokenKind): Promise<Holder[]> {
  return holdersOf(dataDir, personsOf(kind))
}

/** These persons, with tokens of the demo issuer for the brand `acme`. */
export async function holdersOf(dataDir: string, persons: string[]): Promise<Holder[]> {
  const { privateKey, kid } = await readOrMakeDemoKey(dataDir)
  const key = await importJWK(privateKey, 'ES256')
  const now = Math.floor(Date.now() / 1000)
  return Promise.all(
    persons.map(async (person) => ({
      person,
      token: await new SignJWT({ brand: 'acme' })
        .setProtectedHeader({ alg: 'ES256', typ: 'at+jwt', kid })
        .setIssuer(DEMO_ISSUER)
        .setAudience(DEMO_AUDIENCE)
        .setSubject(person)
        .setIssuedAt(now)
        .setExpirationTime(now + 86_400)
        .sign(key),
    })),
  )
}

/** Persons with opaque tokens, which the issuer of bench/introspection.ts knows. */
export function opaqueHolders(kind: TokenKind): Holder[] {
  return personsOf(kind).map((person) => ({ person, token: `opq_${person}` }))
}

/** Tickets of the demo issuer's persons, for the brand `acme`. */
export async function requestsOf(dataDir: string, kind: TokenKind): Promise<NextRequest> {
  return ticketsOf(await demoHolders(dataDir, kind))
}

/** Tickets of these persons in turn. */
export function ticketsOf(holders: Holder[]): NextRequest {
  return inTurn(
    holders.map((holder) => {
      const body = JSON.stringify(ticketOf(holder.person))
      return Buffer.concat([headOf('POST', '', holder.token, body.length), Buffer.from(body)])
    }),
  )
}

/**
 * Tickets with an attachment of so many bytes (a multiple of 3), no two with the same ones, else they would be
 * stored once.
 */
export function ticketsWithFile(holders: Holder[], bytes: number): NextRequest {
  const content = randomBytes(bytes - MARK_BYTES).toString('base64')
  // The attachment comes last, so that all requests share what is behind their own marks, which is large.
  const end = Buffer.from(`${content}","content_type":"application/pdf"}}`)
  const starts = holders.map(({ person, token }) => {
    const ticket = JSON.stringify(ticketOf(person)).slice(0, -1)
    const start = `${ticket},"attachment":{"filename":"receipt.pdf","content_base64":"`
    const length = start.length + (MARK_BYTES / 3) * 4 + end.length
    return Buffer.concat([headOf('POST', '', token, length), Buffer.from(start)])
  })
  let next = 0
  return () => {
    const start = starts[next++ % starts.length]
    if (start === undefined) throw new Error('there are no requests')
    return [start, Buffer.from(randomBytes(MARK_BYTES).toString('base64')), end]
  }
}

/** Reads of tickets, each by its owner. */
export function readsOf(tickets: { ticketId: string; token: string }[]): NextRequest {
  return inTurn(tickets.map(({ ticketId, token }) => headOf('GET', `/${ticketId}`, token, null)))
}

/** Lists of one's own tickets. @param query what the list is of, beside the brand */
export function listsOf(holders: Holder[], query: string): NextRequest {
  return inTurn(holders.map(({ token }) => headOf('GET', `?brand_id=acme&${query}`, token, null)))
}

function inTurn(requests: Request[]): NextRequest {
  let next = 0
  return () => {
    const request = requests[next++ % requests.length]
    if (request === undefined) throw new Error('there are no requests')
    return request
  }
}

function ticketOf(person: string): object {
  return {
    brand_id: 'acme',
    person_id: person,
    requester_email: 'ada@example.com',
    requester_name: 'Ada Lovelace',
    subject: SUBJECT,
    body: BODY,
  }
}

function headOf(method: string, path: string, token: string, length: number | null): Buffer {
  const content = length === null ? '' : `Content-Type: application/json\r\nContent-Length: ${length}\r\n`
  return Buffer.from(
    `${method} /v1/support/tickets${path} HTTP/1.1\r\nHost: 127.0.0.1\r\n` +
      `Authorization: Bearer ${token}\r\n${content}\r\n`,
  )
}
