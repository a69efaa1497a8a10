import type { ProofRow, ProofSection } from '../../page.ts'
import type { Examined } from '../afterwards.ts'
import type { Growth } from '../memory.ts'
import { LIMIT_MS } from './judge.ts'
import type { Readings } from './readings.ts'
import type { MailRun } from './run.ts'
import type { Settled } from './settled.store.ts'

export type MailResult = {
  readings: Readings
  run: MailRun
  settled: Settled & { active: number }
  /** MiB: the most that the server had resident. */
  peak: number
  /** Null where it ended early. */
  growth: Growth | null
  examined: Examined
  log: { lines: number; leaks: number }
}

/** Milliseconds that a mail may keep the server from its other callers. */
const HANG_MS = 2000
/** MiB, with two mails of 25 MiB under way and the threads that read them. */
const PEAK_MIB = 1024

/** @param least mails that the form of the run promises */
export function mailSection(
  { readings, run, settled, peak, growth, examined, log }: MailResult,
  least: number,
): ProofSection {
  const sum = settled.ends.reduce((all, { count }) => all + count, 0)
  const held = (id: string, claim: string, seen: string, holds: boolean): ProofRow => ({
    ...{ id: `mails.${id}`, cells: [claim, seen], verdict: holds ? 'held' : 'broken' },
  })
  const told = (id: string, what: string, seen: string): ProofRow => ({
    ...{ id: `mails.${id}`, cells: [what, seen], verdict: null },
  })
  const rows = [
    {
      ...told('count', 'mails as many as the form says', `${run.sent} of ${least}`),
      verdict: least <= run.sent ? 'held' : 'short',
    } as ProofRow,
    held(
      'read',
      'every one is read or refused with a reason, and what was read is sound',
      `${readings.wrong.length} of ${readings.read} not`,
      readings.wrong.length === 0,
    ),
    held(
      'slowest',
      `none takes over ${LIMIT_MS / 1000} s to read`,
      `${(readings.slowest / 1000).toFixed(2)} s at most`,
      readings.slowest <= LIMIT_MS,
    ),
    held(
      'reading',
      `reading them one by one never takes more than ${PEAK_MIB} MiB`,
      `${readings.peak.toFixed(0)} MiB`,
      readings.peak <= PEAK_MIB,
    ),
    held(
      'right',
      'every one is taken, and its request again brings nothing new',
      `${run.wrong.length} wrong`,
      run.wrong.length === 0,
    ),
    held(
      'in',
      'mails in = mails that the database has',
      `${run.taken.size} and ${settled.mails}`,
      run.taken.size === settled.mails,
    ),
    held(
      'out',
      'every mail is settled as one thing',
      `${sum} settled, ${settled.unsettled} not`,
      sum === settled.mails && settled.unsettled === 0,
    ),
    held(
      'hang',
      `no mail keeps the server from an answer for ${HANG_MS / 1000} s`,
      `${(run.slowestProbe / 1000).toFixed(2)} s at most`,
      run.slowestProbe < HANG_MS,
    ),
    held('peak', `never more than ${PEAK_MIB} MiB resident`, `${peak.toFixed(0)} MiB`, peak <= PEAK_MIB),
    held(
      'inert',
      'no HTML is kept that would do something',
      `${settled.active} messages`,
      settled.active === 0,
    ),
    held(
      'log',
      'no line of the log repeats what a mail says',
      `${log.leaks} of ${log.lines}`,
      log.leaks === 0,
    ),
    held('invariants', 'all that `doctor --deep` looks for holds', brokenOf(examined), examined.well),
    told('longest', 'the longest from taken until settled', `${settled.longest.toFixed(1)} s`),
    told(
      'growth',
      'resident half-way, and at the end',
      growth === null ? '–' : `${growth.half.toFixed(0)} and ${growth.end.toFixed(0)} MiB`,
    ),
    told('messages', 'became a message', String(settled.messages)),
    ...settled.ends.map(({ as, reason, count }) =>
      told(
        `as.${as}.${reason ?? ''}`,
        `settled as ${as.replace('_', ' ')}${reason === null ? '' : `: ${reason}`}`,
        String(count),
      ),
    ),
  ]
  return {
    id: 'mails',
    title: 'Mails',
    text:
      `${run.sent} mails in ${run.seconds.toFixed(0)} s, handed over by HTTP to a server of their own, which reads and settles them meanwhile. ` +
      'They are such as mail programs and servers write, and those of the tests; of ten nine were changed, some of them more ' +
      'than once: bytes, pieces and header fields taken out, put in and repeated, other line ends, very long lines, very many ' +
      'fields, addresses, parts, quotes and elements, parts in parts.',
    columns: ['what must hold', 'seen'],
    rows,
    order: rows.map(({ id }) => id),
  }
}

function brokenOf({ lines }: Examined): string {
  const broken = lines.filter(({ holds }) => !holds).map(({ claim }) => claim)
  return broken.length === 0 ? `${lines.length} hold` : broken.join('; ')
}
