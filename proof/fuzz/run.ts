import fc from 'fast-check'
import { type Case, describeCase } from './case.ts'
import { batchesOf } from './cases.ts'
import { Lane } from './lane.ts'
import { perform, type Stage } from './perform.ts'

/** Batches under way at once, so that one whose last request takes long leaves nobody idle, */
const STREAMS = 4
/** and the requests of each. */
const LANES = 8
/** Batches of one seed; the next has the next seed, so that a failure is found again soon. */
const BATCHES = 100

export type Failure = {
  seed: number
  path: string
  /** The fewest requests that were found to show it. */
  cases: string[]
  why: string
}

export type RunOptions = {
  seed: number
  /** One batch again, as a failure names it; null: all of them. */
  path: string | null
  requests: number
  signal: AbortSignal
  /** Called after each batch. */
  progress(): void
}

/** Sends so many requests, or until an answer is wrong. @returns the failure, made small; null where all held */
export async function run(
  stage: Stage,
  cases: fc.Arbitrary<Case>,
  options: RunOptions,
): Promise<Failure | null> {
  const { signal, path } = options
  const batches = batchesOf(cases)
  let { seed } = options
  let failing = false
  let failure: Failure | null = null

  const stream = async () => {
    const lanes = Array.from({ length: LANES }, () => new Lane(stage.port))
    let mine = false
    const property = fc.asyncProperty(batches, async (batch) => {
      signal.throwIfAborted()
      // While another stream's failure is made small, nothing else is asked; and nothing once it is enough.
      if ((failing && !mine) || (path === null && !mine && stage.tally.requests >= options.requests)) return
      try {
        await sendAll(stage, lanes, batch)
      } catch (error) {
        mine ||= !failing
        failing = true
        throw error
      }
      options.progress()
    })
    try {
      while (!failing && stage.tally.requests < options.requests) {
        const used = seed++
        const result = await fc.check(property, {
          seed: used,
          numRuns: BATCHES,
          ...(path === null ? {} : { path, numRuns: 1 }),
        })
        signal.throwIfAborted()
        if (result.failed && mine) failure = failureOf(used, result)
        if (path !== null) return
      }
    } finally {
      for (const lane of lanes) lane.close()
    }
  }

  await Promise.all(Array.from({ length: path === null ? STREAMS : 1 }, stream))
  return failure
}

function failureOf(seed: number, result: fc.RunDetails<[Case[]]>): Failure {
  const { errorInstance, counterexample, counterexamplePath } = result
  return {
    seed,
    path: counterexamplePath ?? '',
    cases: (counterexample?.[0] ?? []).map(describeCase),
    why: errorInstance instanceof Error ? errorInstance.message : String(errorInstance),
  }
}

/** Each lane takes the next request when its last one is answered. */
async function sendAll(stage: Stage, lanes: Lane[], batch: Case[]): Promise<void> {
  const waiting = batch.values()
  const ends = await Promise.allSettled(
    lanes.map(async (lane) => {
      for (const one of waiting) await perform(stage, lane, one)
    }),
  )
  for (const end of ends) if (end.status === 'rejected') throw end.reason
}
