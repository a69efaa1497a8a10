import { randomInt } from 'node:crypto'
import { resolve } from 'node:path'
import { PROOF_FOLDER } from '../page.ts'

export const FUZZ_OPTIONS = {
  short: { type: 'boolean', default: false },
  only: { type: 'string' },
  requests: { type: 'string' },
  mails: { type: 'string' },
  mail: { type: 'string' },
  seed: { type: 'string' },
  path: { type: 'string' },
  out: { type: 'string' },
  help: { type: 'boolean', default: false },
} as const

export const HELP = `npm run fuzz -- [--short] [--only requests|mails] [--requests N] [--mails N] [--seed N [--path P] [--mail M]]
                [--out FOLDER]

Drives the HTTP surface from /openapi.json with requests that are right, changed, forged and broken, and judges
each answer; then hands over mails that were changed in the same way, and looks what became of them. The long form
sends a million requests and 10,000 mails and writes docs/proof/fuzz.md, but not of fewer; --short sends 15,000 and
300 and writes nothing unless --out names a folder. A wrong answer is printed with the seed and the path, or the mail,
that show it again.
`

/** Requests, and mails, of which a form says that all held. */
export const LEAST = { long: 1_000_000, short: 15_000 }
export const LEAST_MAILS = { long: 10_000, short: 300 }

export type FuzzOptions = {
  form: 'long' | 'short'
  /** 0: none are sent, since the other part alone was asked for. */
  requests: number
  mails: number
  seed: number
  /** Where fast-check finds one failure again; null: all is tried. */
  path: string | null
  /** The number of one mail again; null: all are handed over. */
  mail: number | null
  /** Where the page is written; null: nowhere. */
  out: string | null
}

type Values = { [Name in keyof typeof FUZZ_OPTIONS]?: string | boolean | undefined }

/** @throws Error that names the option and what is expected */
export function readFuzzOptions(values: Values): FuzzOptions {
  const short = values.short === true
  const number = (name: 'requests' | 'mails' | 'mail' | 'seed', unset: number): number => {
    const given = values[name]
    if (given === undefined) return unset
    if (!/^\d{1,15}$/.test(String(given))) throw new Error(`--${name}: expected a whole number`)
    return Number(given)
  }
  const path = typeof values.path === 'string' ? values.path : null
  if (path !== null && !/^\d+(:\d+)*$/.test(path))
    throw new Error('--path: expected numbers with colons between')
  if (path !== null && values.seed === undefined) throw new Error('--path: expected a --seed beside it')
  const form = short ? 'short' : 'long'
  const { only } = values
  if (only !== undefined && only !== 'requests' && only !== 'mails')
    throw new Error('--only: expected requests or mails')
  const mail = values.mail === undefined ? null : number('mail', 0)
  if (mail !== null && values.seed === undefined) throw new Error('--mail: expected a --seed beside it')
  const requests = only === 'mails' || mail !== null ? 0 : number('requests', LEAST[form])
  const mails = only === 'requests' || path !== null ? 0 : number('mails', LEAST_MAILS[form])
  const enough = (given: number, least: number) => given === 0 || given >= least
  // What ships is of a million at least, and of ten thousand mails.
  const ships = !short && mail === null && enough(requests, LEAST.long) && enough(mails, LEAST_MAILS.long)
  const out = typeof values.out === 'string' ? values.out : ships ? PROOF_FOLDER : null
  if (out !== null && resolve(out) === PROOF_FOLDER && !ships)
    throw new Error(
      `--out: expected another folder than docs/proof for fewer than ${LEAST.long} requests and ${LEAST_MAILS.long} mails`,
    )
  return {
    form,
    requests,
    mails,
    mail,
    seed: number('seed', randomInt(2 ** 30)),
    path,
    out,
  }
}
