import { Connection, type Request } from './connection.ts'

/** A request as it goes over the wire; made before the clock runs, so that the load costs the machine little. */
export type NextRequest = () => Request

export type LoadResult = {
  /** Answers with the expected status. */
  answered: number
  /** Other answers, by status. */
  refused: Map<number, number>
  /** From the first request to the last answer. */
  seconds: number
  /** Milliseconds of each expected answer, ascending. */
  latencies: Float64Array
}

/** Closed model: every connection sends its next request when the last one is answered. */
export async function closedLoad(options: {
  port: number
  connections: number
  seconds: number
  next: NextRequest
  /** The status of a good answer; 201 unless told. */
  expected?: number
}): Promise<LoadResult> {
  const { port, next } = options
  const connections = await openConnections(port, options.connections)
  const tally = new Tally(options.expected ?? 201)
  const started = performance.now()
  const until = started + options.seconds * 1000
  try {
    await Promise.all(
      connections.map(async (connection) => {
        while (performance.now() < until) {
          const sent = performance.now()
          tally.count(await connection.send(next()), sent)
        }
      }),
    )
  } finally {
    for (const connection of connections) connection.close()
  }
  return tally.result(started)
}

/**
 * Open model: requests come at their times whether the server keeps up or not, and each is measured from the
 * time it was due, so that a server that stalls is charged for all who would have waited (coordinated
 * omission).
 */
export async function openLoad(options: {
  port: number
  perSecond: number
  seconds: number
  next: NextRequest
  /** The status of a good answer; 201 unless told. */
  expected?: number
}): Promise<LoadResult> {
  const { port, perSecond, next } = options
  const connections = await openConnections(port, 64)
  const idle = [...connections]
  const tally = new Tally(options.expected ?? 201)
  const underway = new Set<Promise<void>>()
  const total = perSecond * options.seconds
  const faults: unknown[] = []
  const started = performance.now()
  try {
    for (let sent = 0; sent < total && faults.length === 0; ) {
      const due = started + (sent / perSecond) * 1000
      const early = due - performance.now()
      if (early > 0.2) {
        await new Promise((resolve) => (early > 2 ? setTimeout(resolve, early - 1) : setImmediate(resolve)))
        continue
      }
      sent++
      const one = (async () => {
        const connection = idle.pop() ?? (await Connection.open(port))
        if (!connections.includes(connection)) connections.push(connection)
        tally.count(await connection.send(next()), due)
        idle.push(connection)
      })()
        .catch((error: unknown) => void faults.push(error))
        .finally(() => underway.delete(one))
      underway.add(one)
    }
    await Promise.all(underway)
    if (faults.length > 0) throw faults[0]
  } finally {
    for (const connection of connections) connection.close()
  }
  return tally.result(started)
}

/** A load that met other answers than expected. */
export class RefusedLoad extends Error {
  override readonly name = 'RefusedLoad'

  constructor({ refused, answered }: LoadResult) {
    const seen = [...refused].map(([status, count]) => `${count} × ${status}`).join(', ')
    super(`answers besides the expected ones: ${seen} (beside ${answered} that were)`)
  }
}

/**
 * Answers a second.
 * @throws RefusedLoad where any answer was another one than expected: a rate of refusals says nothing
 */
export function rateOf(result: LoadResult): number {
  if (result.refused.size > 0) throw new RefusedLoad(result)
  return result.answered / result.seconds
}

/** @param sorted ascending */
export function percentile(sorted: Float64Array, p: number): number {
  return sorted[Math.min(sorted.length - 1, Math.floor((sorted.length * p) / 100))] ?? Number.NaN
}

function openConnections(port: number, count: number): Promise<Connection[]> {
  return Promise.all(Array.from({ length: count }, () => Connection.open(port)))
}

class Tally {
  readonly #expected: number
  readonly #latencies: number[] = []
  readonly #refused = new Map<number, number>()

  constructor(expected: number) {
    this.#expected = expected
  }

  count(status: number, since: number): void {
    if (status === this.#expected) this.#latencies.push(performance.now() - since)
    else this.#refused.set(status, (this.#refused.get(status) ?? 0) + 1)
  }

  result(started: number): LoadResult {
    return {
      answered: this.#latencies.length,
      refused: this.#refused,
      seconds: (performance.now() - started) / 1000,
      latencies: Float64Array.from(this.#latencies).sort(),
    }
  }
}
