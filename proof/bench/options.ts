import { randomInt } from 'node:crypto'
import { PROOF_FOLDER } from '../page.ts'
import type { Group } from './group.ts'
import { GROUPS } from './groups.ts'
import { JUDGED } from './grown.ts'

export const BENCH_OPTIONS = {
  short: { type: 'boolean', default: false },
  only: { type: 'string' },
  rounds: { type: 'string' },
  seconds: { type: 'string' },
  growth: { type: 'string' },
  accept: { type: 'boolean', default: false },
  seed: { type: 'string' },
  out: { type: 'string' },
  against: { type: 'string' },
  help: { type: 'boolean', default: false },
} as const

export const HELP = `npm run bench -- [--short] [--only group,group] [--rounds 5] [--seconds 4] [--growth 10000000] [--seed N]
                 [--out FOLDER] [--against FOLDER] [--accept]

What Bellhop can do, as ratios to a floor or a peer in the same run, in alternating rounds. The long form writes
docs/proof/bench.md; --short, for CI, writes nothing unless --out names a folder. Both fail where a ratio fell by
more than a tenth against the page of --against (docs/proof unless told), the short form looking at the steadiest
alone. --accept makes what is measured now the yardstick, even where it is lower. Ten million tickets take about
17 GiB of disk for half an hour; --growth bounds them.

Groups: ${GROUPS.map(({ id }) => id).join(', ')}
`

export type BenchOptions = {
  form: 'long' | 'short'
  groups: Group[]
  rounds: number
  seconds: number
  growth: number
  seed: number
  /** Where the page is written; null: nowhere. */
  out: string | null
  /** Where the page is that the ratios are compared with. */
  against: string
  /** Whether the ratios are what the next ones are compared with, even where they fell. */
  accept: boolean
}

type Values = { [Name in keyof typeof BENCH_OPTIONS]?: string | boolean | undefined }

/** @throws Error that names the option and what is expected */
export function readBenchOptions(values: Values): BenchOptions {
  const short = values.short === true
  const number = (name: 'rounds' | 'seconds' | 'growth' | 'seed', unset: number, least: number): number => {
    const given = values[name]
    const value = given === undefined ? unset : Number(given)
    if (!(value >= least)) throw new Error(`--${name}: expected a number of at least ${least}`)
    return value
  }
  // Where others share the machine, many short rounds scatter less than a few long ones.
  const out = typeof values.out === 'string' ? values.out : null
  return {
    form: short ? 'short' : 'long',
    groups: pick(values.only, short),
    rounds: number('rounds', short ? 9 : 5, 1),
    seconds: number('seconds', short ? 0.5 : 4, 0.1),
    growth: number('growth', JUDGED, 0),
    seed: number('seed', randomInt(2 ** 31), 0),
    out: out ?? (short ? null : PROOF_FOLDER),
    against: typeof values.against === 'string' ? values.against : PROOF_FOLDER,
    accept: values.accept === true,
  }
}

function pick(only: Values['only'], short: boolean): Group[] {
  if (typeof only !== 'string') return GROUPS.filter(({ inShort }) => inShort || !short)
  return only.split(',').map((id) => {
    const group = GROUPS.find((one) => one.id === id)
    if (group === undefined) {
      throw new Error(`--only: expected some of ${GROUPS.map((one) => one.id).join(',')}`)
    }
    return group
  })
}
