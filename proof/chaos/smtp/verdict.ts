import type { Check, FaultReport } from '../fault.ts'
import { count } from '../ledger.ts'
import {
  countEnds,
  countMetTwice,
  countRefusedAtOnce,
  countUncertain,
  longestAttempt,
  readBreakerWork,
} from './attempts.store.ts'
import type { Strikes } from './faulty-desks.ts'
import type { SmtpRun } from './row.ts'

/** However a server behaves, in milliseconds. */
const ATTEMPT_LIMIT_MS = 60_000

/** Holds a run against what must hold, and says what there was to see. */
export async function judge(run: SmtpRun): Promise<FaultReport> {
  const { scene, sql, desks, fault, recovered } = run
  const ends = await countEnds(sql)
  const strikes = fault.ways === null ? refusals(ends) : await desks.ask('strikes')
  const account = await scene.account({ desk: desks, allowed: fault.wait === undefined ? [] : [400] })
  const longest = await longestAttempt(sql)
  const { leftAlone, longestWait } = await readBreakerWork(sql)
  const carried = `${recovered.toFixed(1)} s after the ${fault.wait === undefined ? 'last fault' : 'first retry'} all was carried`
  const checks: Check[] = [
    count('filed and never acknowledged', scene.ledger.begun - scene.ledger.acknowledged),
    { what: 'faults met', seen: String(strikes.struck), ok: strikes.struck >= scene.context.times },
    endsCheck(ends, strikes),
    ...(await doubleChecks(run)),
    ...(fault.wait === undefined ? [] : [await refusedCheck(run)]),
    { what: 'longest attempt', seen: `${(longest / 1000).toFixed(1)} s`, ok: longest < ATTEMPT_LIMIT_MS },
    {
      what: 'to see',
      seen:
        `${await countMetTwice(sql)} met it twice or more; ${leftAlone} of ${desks.count} desks were left alone ` +
        `for a while, so that a ticket waited ${longestWait.toFixed(1)} s for its next attempt at most; ${carried}`,
      ok: true,
    },
  ]
  return { times: strikes.struck, ...account, checks: [...account.checks, ...checks] }
}

/** Where nothing listens nobody counts but Bellhop: then each failure must be this one. */
function refusals(ends: Map<string, number>): Strikes {
  const struck = [...ends.values()].reduce((sum, times) => sum + times, 0)
  return { struck, replaced: 0, unseen: 0, ends: [['retry connection_refused', struck]] }
}

/**
 * The attempts that failed are those that were struck, each with the outcome and the code that it must have. An
 * `uncertain` where `retry` was expected is on the safe side: it is right as often as the desk could not see
 * which of them it is. The reverse never is.
 */
export function endsCheck(ends: Map<string, number>, strikes: Strikes): Check {
  const expected = new Map(strikes.ends)
  const safer = moveToUncertain(ends, expected, strikes.unseen)
  const wrong = [...new Set([...ends.keys(), ...expected.keys()])].filter(
    (end) => ends.get(end) !== expected.get(end),
  )
  const seen = [...ends].map(([end, times]) => `${times} ${end}`)
  if (strikes.replaced > 0) seen.push(`${strikes.replaced} on a used session, replaced within the attempt`)
  if (safer > 0) {
    seen.push(
      `of them ${safer} uncertain where retry was expected, which is the safe side: the message's end had been ` +
        'written, unseen by the desk, when the time was up',
    )
  }
  const told = wrong.map((end) => `${expected.get(end) ?? 0} ${end} expected`)
  return { what: 'attempts that failed', seen: [...seen, ...told].join(', '), ok: wrong.length === 0 }
}

/** Expects `uncertain` instead of `retry` with the same code, so often at most. @returns how often */
function moveToUncertain(ends: Map<string, number>, expected: Map<string, number>, most: number): number {
  let moved = 0
  for (const [end, times] of [...expected]) {
    if (!end.startsWith('retry ')) continue
    const uncertain = end.replace('retry', 'uncertain')
    const few = times - (ends.get(end) ?? 0)
    const many = (ends.get(uncertain) ?? 0) - (expected.get(uncertain) ?? 0)
    if (few <= 0 || few !== many || moved + few > most) continue
    expected.set(end, times - few)
    expected.set(uncertain, (expected.get(uncertain) ?? 0) + few)
    moved += few
  }
  return moved
}

/** A desk has a message once, and once more for each attempt whose end was uncertain. */
async function doubleChecks({ sql, desks }: SmtpRun): Promise<Check[]> {
  const uncertain = await countUncertain(sql)
  const doubles = new Map(
    (await desks.ask('doubles')).map(([id, times]) => [/msg_[0-9a-f]{32}/.exec(id)?.[0] ?? id, times]),
  )
  const without = [...doubles].filter(([id, times]) => times > (uncertain.get(id) ?? 0)).length
  return [count('doubles without an uncertain attempt', without)]
}

/** A caller is told that the desk refused for good exactly where the first attempt was. */
async function refusedCheck({ scene, sql }: SmtpRun): Promise<Check> {
  const told = scene.ledger.statuses.get(400) ?? 0
  const refused = await countRefusedAtOnce(sql)
  const codes = scene.ledger.unexpected.get(400) ?? 'none'
  return {
    what: 'told 400 upstream_error',
    seen: `${told} of ${refused} refused at once`,
    ok: told === refused && told > 0 && codes === 'upstream_error',
  }
}
