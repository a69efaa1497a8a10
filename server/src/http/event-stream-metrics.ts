import { Counter, Gauge, type Registry } from 'prom-client'
import type { StreamEnd } from '../events/event-stream.ts'

const ENDS: StreamEnd[] = ['gone', 'token', 'slow', 'unavailable', 'stopping']

/** What a process says of its event streams. */
export class EventStreamMetrics {
  readonly #ended: Counter<'reason'>

  /** @param open how many there are now */
  constructor(registry: Registry, open: () => number) {
    const registers = [registry]
    new Gauge({
      name: 'bellhop_event_streams',
      help: 'Event streams that are open on this process.',
      registers,
      collect() {
        this.set(open())
      },
    })
    this.#ended = new Counter({
      name: 'bellhop_event_streams_ended_total',
      help: 'Event streams that ended, by reason: gone (the client hung up), token, slow, unavailable, stopping.',
      labelNames: ['reason'],
      registers,
    })
    for (const reason of ENDS) this.#ended.inc({ reason }, 0)
  }

  ended(reason: StreamEnd): void {
    this.#ended.inc({ reason })
  }
}
