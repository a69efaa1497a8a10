import { setTimeout as pause } from 'node:timers/promises'
import { CallerConnection } from './caller-connection.ts'
import type { Check } from './fault.ts'
import { count } from './ledger.ts'
import { until } from './processes.ts'

/** Milliseconds between two looks at `/healthz`, and between two at `/readyz`. */
const EVERY_MS = 100
/** Milliseconds in which a look is to be answered: as a probe of a cluster asks. */
const PATIENCE_MS = 5000

/** Connections that a watch has. */
export const WATCHERS = 2

/** Asks a running Bellhop all the time whether it is alive and whether it is ready, as an operator's probes do. */
export class Watch {
  readonly #port: () => number | null
  readonly #leaving = new AbortController()
  readonly #done: Promise<unknown>
  readonly #connections = [new CallerConnection(), new CallerConnection()]
  #healthy = 0
  #unhealthy = 0
  #slowest = 0
  #ready: { status: number; at: number } = { status: 0, at: 0 }
  #unreadyWithoutRetryAfter = 0

  constructor(port: () => number | null) {
    this.#port = port
    const [health, readiness] = this.#connections
    this.#done = Promise.all([
      this.#look(health, '/healthz', (status, ms) => {
        if (status === 200) this.#healthy++
        else this.#unhealthy++
        this.#slowest = Math.max(this.#slowest, ms)
      }),
      this.#look(readiness, '/readyz', (status, _ms, retryAfter) => {
        this.#ready = { status, at: performance.now() }
        if (status !== 200 && !retryAfter) this.#unreadyWithoutRetryAfter++
      }),
    ])
  }

  /** Waits until `/readyz`, asked after this call, says so. @throws where it does not within `ms` milliseconds */
  async readyz(status: 200 | 503, ms: number, signal: AbortSignal): Promise<void> {
    const since = performance.now()
    const isSaid = () => this.#ready.status === status && this.#ready.at > since
    await until(`/readyz is ${status}`, isSaid, { ms, signal })
  }

  checks(): Check[] {
    return [
      count(`/healthz not 200 (of ${this.#healthy + this.#unhealthy})`, this.#unhealthy),
      {
        what: 'slowest /healthz',
        seen: `${(this.#slowest / 1000).toFixed(2)} s`,
        ok: this.#slowest < PATIENCE_MS,
      },
      count('/readyz not 200 and without Retry-After', this.#unreadyWithoutRetryAfter),
    ]
  }

  async stop(): Promise<void> {
    this.#leaving.abort()
    for (const connection of this.#connections) connection.close()
    await this.#done
  }

  async #look(
    connection: CallerConnection | undefined,
    path: string,
    see: (status: number, ms: number, retryAfter: boolean) => void,
  ): Promise<void> {
    const request = Buffer.from(`GET ${path} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n`)
    while (connection !== undefined && !this.#leaving.signal.aborted) {
      const port = this.#port()
      if (port !== null) {
        const since = performance.now()
        const answer = await connection.send(port, request, PATIENCE_MS)
        if (this.#leaving.signal.aborted) return
        const isAnswer = typeof answer !== 'string'
        const status = isAnswer ? answer.status : 0
        see(status, performance.now() - since, isAnswer && answer.headers.has('retry-after'))
      }
      await pause(EVERY_MS, undefined, { signal: this.#leaving.signal }).catch(() => {})
    }
  }
}
