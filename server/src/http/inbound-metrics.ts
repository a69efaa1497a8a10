import { Counter, Gauge, type Registry } from 'prom-client'
import { kept } from './kept.ts'

const SETTLED_AS = ['duplicate', 'bounce', 'automatic', 'reply', 'new_ticket', 'quarantined'] as const

export type WaitingMails = {
  brandId: string
  what: 'received' | 'quarantined'
  count: number
  /** Seconds. */
  oldestAge: number
}

/** Milliseconds that an answer of the database is kept, since anyone may ask. */
const KEPT = { answer: 1000, fault: 1000 }

/** What became of the mail that came, and what of it waits for the settler or for an operator. */
export class InboundMetrics {
  readonly #settled: Counter<'brand' | 'settled_as'>

  /**
   * @param waiting asks the database
   * @param now milliseconds of a clock that is never put back
   */
  constructor(
    registry: Registry,
    brandIds: string[],
    waiting: () => Promise<WaitingMails[]>,
    now: () => number = () => performance.now(),
  ) {
    const registers = [registry]
    this.#settled = new Counter({
      name: 'bellhop_inbound_settled_total',
      help: 'Mails that this process settled, by brand and by what they were settled as.',
      labelNames: ['brand', 'settled_as'],
      registers,
    })
    for (const brand of brandIds)
      for (const settled_as of SETTLED_AS) this.#settled.inc({ brand, settled_as }, 0)
    // The gauges are collected from one answer.
    const ask = kept(waiting, { ...KEPT, now })
    const gauge = (name: string, help: string, what: WaitingMails['what'], of: 'count' | 'oldestAge') =>
      new Gauge({
        name,
        help,
        labelNames: ['brand'],
        registers,
        async collect() {
          this.reset()
          // With the database away it is absent.
          const rows = await ask().catch(() => null)
          if (rows === null) return
          if (of === 'count') for (const brand of brandIds) this.set({ brand }, 0)
          for (const row of rows) if (row.what === what) this.set({ brand: row.brandId }, row[of])
        },
      })
    gauge('bellhop_inbound_waiting', 'Mails that wait to be settled, by brand.', 'received', 'count')
    gauge(
      'bellhop_inbound_oldest_waiting_age_seconds',
      'Age of the oldest mail that waits to be settled, by brand; absent where there is none.',
      'received',
      'oldestAge',
    )
    gauge('bellhop_quarantine_mails', 'Mails in quarantine, by brand.', 'quarantined', 'count')
    gauge(
      'bellhop_quarantine_oldest_age_seconds',
      'Age of the oldest mail in quarantine, by brand; absent where there is none.',
      'quarantined',
      'oldestAge',
    )
  }

  settled({ brandId, as }: { brandId: string; as: string }): void {
    this.#settled.inc({ brand: brandId, settled_as: as })
  }
}
