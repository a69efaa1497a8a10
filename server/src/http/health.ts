import type { FastifyInstance } from 'fastify'
import { unavailable } from '../errors.ts'

/** Why no ticket could be accepted now, as a sentence; null where one could. */
export type Readiness = () => Promise<string | null>

export function healthRoutes(readiness: Readiness) {
  return async (app: FastifyInstance): Promise<void> => {
    app.get('/healthz', () => ({ status: 'alive' }))
    app.get('/readyz', async () => {
      const reason = await readiness()
      if (reason !== null) throw unavailable(reason, 2)
      return { status: 'ready' }
    })
  }
}
