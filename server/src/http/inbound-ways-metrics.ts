import { Counter, Gauge, type Registry } from 'prom-client'

/** What a process says of the mails that it took in, and of the mailboxes that it reads. */
export class InboundWaysMetrics {
  readonly #mails: Counter<'brand' | 'way'>

  /** @param looks of the mailboxes that this process reads, seconds since the last look that ended well */
  constructor(registry: Registry, brandIds: string[], looks: () => { brandId: string; age: number }[]) {
    const registers = [registry]
    this.#mails = new Counter({
      name: 'bellhop_inbound_mails_total',
      help: 'Mails that this process took in, by brand and way; those of `bellhop inbound` are not among them.',
      labelNames: ['brand', 'way'],
      registers,
    })
    for (const brand of brandIds) for (const way of ['http', 'imap']) this.#mails.inc({ brand, way }, 0)
    new Gauge({
      name: 'bellhop_imap_look_age_seconds',
      help: 'How long ago a mailbox that this process reads was last looked at with success, by brand.',
      labelNames: ['brand'],
      registers,
      collect() {
        this.reset()
        for (const { brandId, age } of looks()) this.set({ brand: brandId }, age)
      },
    })
  }

  kept({ brandId, way }: { brandId: string; way: string }): void {
    this.#mails.inc({ brand: brandId, way })
  }
}
