import { hash } from 'node:crypto'
import rateLimit from '@fastify/rate-limit'
import type { FastifyInstance, FastifyRequest } from 'fastify'
import { AppError } from '../errors.ts'
import type { TicketGuards } from '../tickets/ticket.routes.ts'
import { MinuteCounts } from './rate-limit.store.ts'

type Counted = { key: string; perMinute: number }

/**
 * Counts the tickets of one person of one brand in a minute. Correct within one process; several processes
 * count each for itself.
 */
export async function registerRateLimit(app: FastifyInstance): Promise<TicketGuards['limit']> {
  const counted = new WeakMap<FastifyRequest, Counted>()
  const of = (request: FastifyRequest): Counted => {
    const count = counted.get(request)
    if (count === undefined) throw new Error('a request is counted for nobody')
    return count
  }
  await app.register(rateLimit, { global: false, store: MinuteCounts })
  const count = app.createRateLimit({
    timeWindow: 60_000,
    max: (request) => of(request).perMinute,
    keyGenerator: (request) => of(request).key,
  })
  return async (request, brandId, personId, perMinute) => {
    if (perMinute === 0) return {}
    counted.set(request, { key: hash('sha256', JSON.stringify([brandId, personId])), perMinute })
    const state = await count(request)
    if (state.isAllowed) return {}
    const headers = {
      'ratelimit-limit': String(state.max),
      'ratelimit-remaining': String(state.remaining),
      'ratelimit-reset': String(state.ttlInSeconds),
    }
    if (!state.isExceeded) return headers
    throw new AppError('rate_limited', 'Too many tickets of one person in a minute.', {
      headers: { ...headers, 'retry-after': String(state.ttlInSeconds) },
    })
  }
}
