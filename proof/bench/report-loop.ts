/** What an operator asks for, again and again: the list of what is undelivered, or the counts of it. */
import { openDatabase } from '../../server/src/database/pool.ts'
import { countDeliveries, listDeliveries } from '../../server/src/deliveries/delivery.report.ts'
import { serveAsPeer } from './peer.ts'
import type { SocketEndpoint } from './postgres.ts'

export type ReportQuestion = { what: 'list' | 'count'; seconds: number }

async function startLoop({ endpoint }: { endpoint: SocketEndpoint }) {
  const { sql } = openDatabase(endpoint, {
    max: 1,
    applicationName: 'npm run bench',
    statementTimeout: 60_000,
  })

  async function ask(what: ReportQuestion['what']): Promise<number> {
    if (what === 'count') return (await countDeliveries(sql)).length
    const states: ('pending' | 'leased' | 'rejected' | 'dead')[] = ['pending', 'leased', 'rejected', 'dead']
    return (await listDeliveries(sql, { states, brandId: null, minimumAge: 0, limit: 50 })).length
  }

  return {
    ready: null,
    /** @returns how many a second */
    async answer({ what, seconds }: ReportQuestion): Promise<number> {
      const started = performance.now()
      const until = started + seconds * 1000
      let asked = 0
      while (performance.now() < until) {
        if ((await ask(what)) === 0) throw new Error('there is nothing to list')
        asked++
      }
      return asked / ((performance.now() - started) / 1000)
    },
  }
}

serveAsPeer(startLoop)
