import { AppError } from '../errors.ts'
import { readToken, signToken } from '../secrets.ts'
import type { TicketStatus } from './ticket.store.ts'
import type { ListPlace } from './ticket-list.store.ts'

const DEFAULT_LIMIT = 20
const MOST = 100
const STATUSES: readonly string[] = ['open', 'pending', 'solved', 'closed'] satisfies TicketStatus[]
const UUID = /^[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}$/

export type ListRequest = {
  brandId: string
  /** Null: the token's own. */
  personId: string | null
  status: TicketStatus | null
  limit: number
  cursor: string | null
}

/**
 * Reads the query of a list. Parameters that are not ours are let be.
 * @param query as Fastify parses it: a list where a name was given twice
 * @throws AppError `validation_error` (names the parameter, never repeats its value)
 */
export function readListRequest(query: Readonly<Record<string, unknown>>): ListRequest {
  const text = (name: string): string | null => {
    const value = Object.hasOwn(query, name) ? query[name] : undefined
    if (value === undefined) return null
    if (typeof value !== 'string') throw invalid(name, 'must be given once')
    if (value === '') throw invalid(name, 'must not be empty')
    if (value.includes('\u0000')) throw invalid(name, 'must not contain the character NUL')
    return value.toWellFormed()
  }
  const brandId = text('brand_id')
  if (brandId === null) throw invalid('brand_id', 'is required')
  return {
    brandId,
    personId: text('person_id'),
    status: readStatus(text('status')),
    limit: readLimit(text('limit')),
    cursor: text('cursor'),
  }
}

function readStatus(text: string | null): TicketStatus | null {
  if (text !== null && !STATUSES.includes(text))
    throw invalid('status', `must be one of ${STATUSES.join(', ')}`)
  return text as TicketStatus | null
}

function readLimit(text: string | null): number {
  if (text === null) return DEFAULT_LIMIT
  const limit = /^[1-9]\d{0,2}$/.test(text) ? Number(text) : 0
  if (limit < 1 || limit > MOST) throw invalid('limit', `must be a whole number from 1 to ${MOST}`)
  return limit
}

/** What a cursor is good for: the same brand, person and status. */
export type CursorScope = { brandId: string; personId: string; status: TicketStatus | null }

/** The place where a page ended, as a text that only we can have made. */
export function writeCursor(secret: Buffer, scope: CursorScope, { movedAt, ticketId }: ListPlace): string {
  return signToken(secret, purposeOf(scope), `${movedAt} ${ticketId}`)
}

/** @throws AppError `validation_error` where we did not make it for this list */
export function readCursor(secret: Buffer, scope: CursorScope, cursor: string): ListPlace {
  const [movedAt = '', ticketId = ''] = readToken(secret, purposeOf(scope), cursor)?.split(' ') ?? []
  if (/^-?\d{1,17}$/.test(movedAt) && UUID.test(ticketId)) return { movedAt, ticketId }
  throw invalid('cursor', 'must be the next_cursor of a page of the same list')
}

function purposeOf({ brandId, personId, status }: CursorScope): string {
  return JSON.stringify(['tickets', brandId, personId, status])
}

function invalid(name: string, expected: string): AppError {
  return new AppError('validation_error', `${name} ${expected}.`)
}
