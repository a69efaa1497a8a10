import { readFileSync } from 'node:fs'
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Provenance } from './machine.ts'
import { table } from './table.ts'

/**
 * The pages of docs/proof. A command writes what it measured row by row, so that a part can be run again by
 * itself; every row names the run that it is from. The Markdown is made from the JSON beside it, and neither is
 * written by hand.
 */

/** Where the pages that ship lie. */
export const PROOF_FOLDER = join(import.meta.dirname, '../docs/proof')

/**
 * `met` and `held`: as it should be. `short`, `broken` and `fell` (below its yardstick): not. `not run`: it cannot be
 * run here, and why is said.
 */
export type Verdict = 'met' | 'short' | 'fell' | 'held' | 'broken' | 'not run' | null

export type ProofRow = {
  /** Names the row for good, for example `acceptance.fresh`. */
  id: string
  /** One text for each column of its section. */
  cells: string[]
  verdict: Verdict
  /** A ratio to a floor or a peer of the same run, where the row has one. */
  ratio?: Ratio
  /** What its next ratio is compared with. */
  yardstick?: Yardstick
}

export type Ratio = {
  median: number
  least: number
  most: number
  /** Of each round; the more, the better. */
  rounds: number[]
}

/** A ratio that was once reached, and the machine that it was reached on. */
export type Yardstick = { ratio: number; machine: string }

export type ProofSection = {
  id: string
  title: string
  /** What the reader must know to read the table. */
  text: string
  columns: string[]
  rows: ProofRow[]
  /** The ids of its rows in the page's order; a row that is not named here is dropped. Unset: as they come. */
  order?: string[]
}

export type ProofPage = {
  name: 'bench' | 'chaos' | 'fuzz'
  title: string
  text: string
  sections: ProofSection[]
}

/** How a command was called. */
export type ProofRun = Provenance & { form: 'long' | 'short'; seed: number | null }

type KeptRow = ProofRow & { run: ProofRun }
type KeptSection = Omit<ProofSection, 'rows' | 'order'> & { rows: KeptRow[] }
export type KeptPage = Omit<ProofPage, 'sections'> & { sections: KeptSection[] }

/** The page that lies in the folder, or null where there is none yet. */
export function readPage(name: ProofPage['name'], folder = PROOF_FOLDER): KeptPage | null {
  try {
    return JSON.parse(readFileSync(join(folder, `${name}.json`), 'utf8'))
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return null
    throw error
  }
}

/**
 * Writes what a run measured: sections and rows of the page that it did not measure stay as they are.
 */
export async function writePage(page: ProofPage, run: ProofRun, folder = PROOF_FOLDER): Promise<KeptPage> {
  const merged = merge(readPage(page.name, folder), page, run)
  await mkdir(folder, { recursive: true })
  await writeFile(join(folder, `${page.name}.json`), `${JSON.stringify(merged, null, 2)}\n`)
  await writeFile(join(folder, `${page.name}.md`), toMarkdown(merged))
  return merged
}

export function merge(kept: KeptPage | null, page: ProofPage, run: ProofRun): KeptPage {
  const sections = page.sections.map(({ rows, order, ...section }): KeptSection => {
    const before = kept?.sections.find(({ id }) => id === section.id)
    const sameShape = before !== undefined && before.columns.join() === section.columns.join()
    const fresh = new Map(rows.map((row) => [row.id, { ...row, run }]))
    const stay = (sameShape ? before.rows : []).map((row) => {
      const replaced = fresh.get(row.id)
      fresh.delete(row.id)
      return replaced ?? row
    })
    return { ...section, rows: inOrder([...stay, ...fresh.values()], order) }
  })
  const ids = new Set(sections.map(({ id }) => id))
  const others = (kept?.sections ?? []).filter(({ id }) => !ids.has(id))
  return { name: page.name, title: page.title, text: page.text, sections: [...sections, ...others] }
}

function inOrder(rows: KeptRow[], order: string[] | undefined): KeptRow[] {
  if (order === undefined) return rows
  return order.flatMap((id) => rows.filter((row) => row.id === id))
}

/** The page as it is read: its tables, then the runs that they are from. */
export function toMarkdown(page: KeptPage): string {
  const runs: string[] = []
  const numberOf = (run: ProofRun) => {
    const line = describeRun(run)
    if (!runs.includes(line)) runs.push(line)
    return String(runs.indexOf(line) + 1)
  }
  const sections = page.sections
    .filter(({ rows }) => rows.length > 0)
    .map((section) => {
      const rows = section.rows.map((row) => [...row.cells, row.verdict ?? '', numberOf(row.run)])
      return `## ${section.title}\n\n${section.text}\n\n${table([...section.columns, '', 'run'], rows)}\n`
    })
  const made = `Made by \`npm run ${page.name}\`; do not edit.`
  const listed = runs.map((line, index) => `${index + 1}. ${line}`).join('\n')
  return `# ${page.title}\n\n${page.text}\n\n${made}\n\n${sections.join('\n')}\n## Runs\n\n${listed}\n`
}

/** A section for the terminal. */
export function toTerminal(section: ProofSection): string {
  return `\n${section.title}\n\n${table(
    [...section.columns, ''],
    section.rows.map((row) => [...row.cells, row.verdict ?? '']),
  )}\n`
}

function describeRun(run: ProofRun): string {
  const form = `${run.form} form${run.seed === null ? '' : `, seed ${run.seed}`}`
  return (
    `${run.at.slice(0, 10)}, ${form}: Bellhop ${run.bellhop} at \`${run.commit}\`, Node ${run.node}, ` +
    `PostgreSQL ${run.postgresql}, ${run.system}, ${run.machine}; the load, the desks, the database and ` +
    'Bellhop share the machine.'
  )
}
