import { randomInt } from 'node:crypto'
import { parseArgs } from 'node:util'
import { provenance } from '../machine.ts'
import { PROOF_FOLDER, type ProofPage, type ProofRow, type ProofRun, toTerminal, writePage } from '../page.ts'
import { serverVersion } from '../postgres-version.ts'
import { FAULTS } from './faults.ts'
import { COLUMNS, mayBeWritten, runFault } from './runner.ts'

const HELP = `npm run chaos -- [--short] [--only id,id] [--times N] [--seed N] [--out FOLDER]

Makes every fault while callers file tickets, and looks what is left of them. The long form takes hours and
writes docs/proof/chaos.md; --short takes a minute and writes nothing unless --out names a folder. --only picks
rows, which are written beside those of earlier runs. The same --seed makes the same faults. A row that is
made fewer times than the long form makes it is not written to docs/proof.

Rows: ${FAULTS.map(({ id }) => id).join(', ')}
`

const TEXT = `A fault is made so many times while callers file tickets, each with an Idempotency-Key and again
until it is answered. _Acknowledged_ are the tickets that were answered with 201; _there_, those of them that
stand in the database whole; _arrived_, those that their desk has got; _doubles_, what the desks got beyond the
first of each message. A row holds when all that is named in its last column does.`

const SECTION = {
  id: 'faults',
  title: 'Faults',
  text: '',
  columns: COLUMNS,
  order: FAULTS.map(({ id }) => id),
}

process.exitCode = await chaos()

async function chaos(): Promise<number> {
  const { values } = parseArgs({
    options: {
      short: { type: 'boolean', default: false },
      only: { type: 'string' },
      times: { type: 'string' },
      seed: { type: 'string' },
      out: { type: 'string' },
      help: { type: 'boolean', default: false },
    },
  })
  if (values.help) {
    process.stdout.write(HELP)
    return 0
  }
  const form = values.short ? 'short' : 'long'
  const seed = wholeNumber(values.seed, 'seed') ?? randomInt(2 ** 31)
  const times = wholeNumber(values.times, 'times')
  const ids = values.only?.split(',')
  const faults = ids ? FAULTS.filter(({ id }) => ids.includes(id)) : FAULTS
  const unknown = ids?.filter((id) => !FAULTS.some((fault) => fault.id === id)) ?? []
  if (unknown.length > 0 || faults.length === 0) {
    process.stderr.write(`no such rows: ${unknown.join(', ')}\n\n${HELP}`)
    return 2
  }
  const out = values.out ?? (form === 'long' ? PROOF_FOLDER : null)
  const say = (line: string) => process.stdout.write(`${line}\n`)
  say(`${form} form, seed ${seed}`)
  const run: ProofRun = { ...provenance(await serverVersion()), form, seed }
  const stopping = stopSignal()
  const rows: ProofRow[] = []
  try {
    for (const fault of faults) {
      const row = await runFault(fault, { form, seed, times, signal: stopping, say })
      if (row === null) continue
      rows.push(row)
      if (out === null) continue
      if (mayBeWritten(fault, form, times, out)) await writePage(pageOf([row]), run, out)
      else say(`${fault.id} is not written to docs/proof, which takes ${fault.times.long} times and more`)
    }
  } catch (error) {
    if (!stopping.aborted) throw error
    say('stopped')
    return 130
  }
  // What was seen has been told row by row, and fits into no table of a terminal.
  const numbers = rows.map((row) => ({ ...row, cells: row.cells.slice(0, -1) }))
  say(toTerminal({ ...SECTION, columns: COLUMNS.slice(0, -1), rows: numbers }))
  const broken = rows.filter(({ verdict }) => verdict === 'broken').map(({ id }) => id)
  if (broken.length === 0) return 0
  const again = [
    ...(values.short ? ['--short'] : []),
    ...(times === null ? [] : [`--times ${times}`]),
    `--seed ${seed} --only ${broken.join(',')}`,
  ]
  say(`broken: ${broken.join(', ')}; the same faults again: ${again.join(' ')}`)
  return 1
}

function pageOf(rows: ProofRow[]): ProofPage {
  return {
    name: 'chaos',
    title: 'What faults leave behind',
    text: TEXT.replaceAll('\n', ' '),
    sections: [{ ...SECTION, rows }],
  }
}

/** Aborted at the first SIGINT or SIGTERM; the row then clears away what it started. */
function stopSignal(): AbortSignal {
  const stopping = new AbortController()
  for (const name of ['SIGINT', 'SIGTERM'] as const) process.on(name, () => stopping.abort())
  return stopping.signal
}

function wholeNumber(text: string | undefined, name: string): number | null {
  if (text === undefined) return null
  if (/^\d{1,15}$/.test(text)) return Number(text)
  process.stderr.write(`--${name}: expected a whole number\n`)
  process.exit(2)
}
