import type { Check } from './fault.ts'
import type { FloodResult } from './flood.ts'
import type { Load } from './flooding.ts'
import type { Probes } from './probes.ts'

const ACCEPTED_P99_MS = 2000
const MEMORY_MIB = 512
/** Milliseconds after which all is to be as it was. */
export const RECOVERY_MS = 5000
/** Of a hundred requests that were due: those that may have no answer within the callers' patience. */
const UNANSWERED_PERCENT = 1
/** Of a hundred requests that were due: those for which the callers were not quick enough, at most. */
const UNSENT_PERCENT = 5

/** What was seen of one load. */
export type Seen = {
  /** How the row names it. */
  name: string
  load: Load
  /** Requests a second that were sustainable before. */
  sustainable: number
  /** Of what is sustainable: what is to be accepted of the load, at least. */
  accepts: number
  flood: FloodResult
  probes: Pick<Probes, 'count' | 'failed' | 'slowest' | 'residentMiB'>
  /** Milliseconds; null where it did not. */
  recovered: number | null
}

/** @param slack the short form judges times less strictly: its few seconds are mostly the first ones */
export function overloadChecks(seen: Seen, slack: number): Check[] {
  const { name, load, sustainable, flood, probes, recovered } = seen
  const { accepted, refused, latency, due, sent } = flood
  const others = Object.entries(flood.others).map(([status, count]) => `${count} × ${status}`)
  const silent = Object.entries(flood.unanswered)
  const unanswered = silent.reduce((sum, [, count]) => sum + count, 0)
  const perSecond = (count: number) => `${(count / load.seconds).toFixed(0)}/s`
  const asked = (load.perSecond ?? 0) * load.seconds
  const share = accepted / load.seconds / sustainable
  const checks: Check[] = [
    {
      what: `due, sent, accepted, refused (the callers used ${flood.cores.toFixed(1)} cores)`,
      seen: [due, sent, accepted, refused].map(perSecond).join(', '),
      ok: sent > ((100 - UNSENT_PERCENT) / 100) * asked && accepted > 0 && (refused > 0 || accepted === due),
    },
    {
      what: `accepted, of what is sustainable, at least ${seen.accepts / slack}`,
      seen: share.toFixed(2),
      ok: share >= seen.accepts / slack,
    },
    {
      what: `p99 of the accepted and of those without an answer, from when they were due, under ${slack * ACCEPTED_P99_MS} ms`,
      seen: `${latency.accepted.p99.toFixed(0)} ms`,
      ok: latency.accepted.p99 < slack * ACCEPTED_P99_MS,
    },
    {
      what: 'answers of the flood other than 201 and a 503 with Retry-After and the error body',
      seen: others.join(', ') || '0',
      ok: others.length === 0,
    },
    {
      what: `without an answer within ${load.patience / 1000} s, under ${UNANSWERED_PERCENT} in 100`,
      seen: `${silent.map(([why, count]) => `${count} ${why}`).join(', ') || '0'} of ${due}`,
      ok: unanswered < (due * UNANSWERED_PERCENT) / 100,
    },
    {
      what: `/healthz without an answer within 2 s, under ${slack}`,
      seen: `${probes.failed} of ${probes.count}, the slowest after ${probes.slowest.toFixed(0)} ms`,
      ok: probes.failed < slack && probes.count > 0,
    },
    {
      what: `resident at most ${MEMORY_MIB} MiB`,
      seen: `${probes.residentMiB.toFixed(0)} MiB`,
      ok: probes.residentMiB < MEMORY_MIB,
    },
    {
      what: `back to normal within ${(slack * RECOVERY_MS) / 1000} s`,
      seen: recovered === null ? 'not' : `${(recovered / 1000).toFixed(1)} s`,
      ok: recovered !== null && recovered <= slack * RECOVERY_MS,
    },
  ]
  return checks.map((check) => ({ ...check, what: `${name}: ${check.what}` }))
}
