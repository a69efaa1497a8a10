/**
 * What a worker asks of the database, by itself: claim what there are places for, and write down how each
 * attempt ended, as if the desk took no time.
 */
import { openDatabase } from '../../server/src/database/pool.ts'
import {
  type ClaimRequest,
  claimDeliveries,
  finishAttempt,
} from '../../server/src/deliveries/delivery.store.ts'
import { serveAsPeer } from './peer.ts'
import type { SocketEndpoint } from './postgres.ts'

/** Five places at each of these brands' desks and a hundred in all, as a worker has. */
const OF_A_BRAND = 5
const IN_ALL = 100
/** As a worker has unless told. */
const CONNECTIONS = 16

export type ClaimLoopSettings = { endpoint: SocketEndpoint; brands: string[] }

async function startLoop({ endpoint, brands }: ClaimLoopSettings) {
  const holder = `bench:${process.pid}`
  const database = openDatabase(endpoint, { max: CONNECTIONS, applicationName: 'npm run bench' })
  const requests = brands.map(
    (brandId): ClaimRequest => ({
      brandId,
      side: 'desk',
      limit: OF_A_BRAND,
      connector: 'smtp',
      mailDomain: 'acme.example',
    }),
  )
  const finish = (claimed: { brandId: string; deliveryId: string; attempt: number }) =>
    database.run(10_000, (sql) =>
      finishAttempt(sql, holder, {
        ...{ brandId: claimed.brandId, deliveryId: claimed.deliveryId, attempt: claimed.attempt },
        ...{ outcome: 'delivered', code: 'smtp_250', answer: '250 2.0.0 ok' },
        ...{ durationMs: 1, next: 'delivered', delay: 0 },
      }),
    )
  return {
    ready: null,
    /** @returns deliveries a second, until the time was over or there were no more */
    async answer(seconds: number): Promise<number> {
      const started = performance.now()
      const until = started + seconds * 1000
      let carried = 0
      let last = started
      while (performance.now() < until) {
        const claimed = await database.run(10_000, (sql) =>
          claimDeliveries(sql, holder, requests, IN_ALL, []),
        )
        if (claimed.length === 0) break
        await Promise.all(claimed.map(finish))
        carried += claimed.length
        last = performance.now()
      }
      return carried / ((last - started) / 1000)
    },
  }
}

serveAsPeer(startLoop)
