import { setTimeout as pause } from 'node:timers/promises'

const EVERY_MS = 1000
const TIMEOUT_MS = 2000

/** Asks /healthz every second as a supervisor does, on a new connection, and looks at the memory meanwhile. */
export class Probes {
  readonly #stopping = new AbortController()
  readonly #done: Promise<unknown>
  readonly #underWay: Promise<void>[] = []
  count = 0
  /** Without a 200 within 2 s. */
  failed = 0
  /** Milliseconds, of those that did not fail. */
  slowest = 0
  /** The most there was. */
  residentMiB = 0

  constructor(port: number, residentMiB: () => number) {
    this.#done = this.#run(`http://127.0.0.1:${port}/healthz`, residentMiB)
  }

  async stop(): Promise<void> {
    this.#stopping.abort()
    await this.#done
    await Promise.all(this.#underWay)
  }

  async #run(url: string, residentMiB: () => number): Promise<void> {
    while (!this.#stopping.signal.aborted) {
      this.#underWay.push(this.#ask(url))
      this.residentMiB = Math.max(this.residentMiB, residentMiB())
      await pause(EVERY_MS, undefined, { signal: this.#stopping.signal }).catch(() => {})
    }
  }

  async #ask(url: string): Promise<void> {
    this.count++
    const since = performance.now()
    try {
      const signal = AbortSignal.timeout(TIMEOUT_MS)
      const { status } = await fetch(url, { signal, headers: { connection: 'close' } })
      if (status !== 200) throw new Error('not alive')
      this.slowest = Math.max(this.slowest, performance.now() - since)
    } catch {
      this.failed++
    }
  }
}
