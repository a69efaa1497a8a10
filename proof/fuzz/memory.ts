export type Sample = { requests: number; mib: number }

export type Growth = {
  start: number
  half: number
  end: number
  most: number
  /** MiB that a million requests add, by the second half of the run. */
  perMillion: number
}

/** What a leak of 64 bytes for each request would be. */
export const GROWTH_LIMIT = 64

/**
 * Judged by the second half, in which caches are full and code is compiled: the slope of a line through its
 * samples (least squares), since a heap that is collected goes up and down by more than a leak adds.
 */
export function growthOf(samples: Sample[]): Growth {
  const first = samples[0]
  const last = samples.at(-1)
  if (first === undefined || last === undefined || samples.length < 4)
    throw new Error('memory was sampled too rarely')
  const middle = (first.requests + last.requests) / 2
  const second = samples.filter(({ requests }) => requests >= middle)
  return {
    start: first.mib,
    half: second[0]?.mib ?? last.mib,
    end: last.mib,
    most: Math.max(...samples.map(({ mib }) => mib)),
    perMillion: slope(second) * 1e6,
  }
}

function slope(samples: Sample[]): number {
  const x = mean(samples.map(({ requests }) => requests))
  const y = mean(samples.map(({ mib }) => mib))
  const across = samples.reduce((sum, sample) => sum + (sample.requests - x) * (sample.mib - y), 0)
  const along = samples.reduce((sum, sample) => sum + (sample.requests - x) ** 2, 0)
  return along === 0 ? 0 : across / along
}

function mean(values: number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length
}
