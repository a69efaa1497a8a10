import type { Check, FaultReport } from '../fault.ts'

/** Several runs of a row as one: numbers are added up, and a check holds where it held in each. */
export function sumOf(reports: FaultReport[]): FaultReport {
  const total = (key: 'times' | 'acknowledged' | 'present' | 'arrived' | 'doubles') =>
    reports.reduce((sum, report) => sum + (report[key] ?? 0), 0)
  const names = [...new Set(reports.flatMap(({ checks }) => checks.map(({ what }) => what)))]
  return {
    times: total('times'),
    acknowledged: total('acknowledged'),
    present: total('present'),
    arrived: total('arrived'),
    doubles: total('doubles'),
    checks: names.map((what) =>
      sumOfChecks(
        what,
        reports.flatMap(({ checks }) => checks.filter((check) => check.what === what)),
      ),
    ),
  }
}

function sumOfChecks(what: string, checks: Check[]): Check {
  const isNumbers = checks.every(({ seen }) => /^\d+$/.test(seen))
  const seen = isNumbers
    ? String(checks.reduce((sum, check) => sum + Number(check.seen), 0))
    : [...new Set(checks.map((check) => check.seen))].join(', ')
  return { what, seen, ok: checks.every(({ ok }) => ok) }
}
