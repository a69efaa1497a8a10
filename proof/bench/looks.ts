import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { ProofSection, Yardstick } from '../page.ts'
import { pooled, toRow } from './comparison.ts'
import type { BenchContext, BenchSection, Group } from './group.ts'
import type { BenchOptions } from './options.ts'
import { describeRefusals, noRefusals, type Refusals } from './refusals.ts'
import { type Judge, suspects } from './regressions.ts'

/** A suspected regression is measured once more, in so many times the rounds, before it counts. */
const SECOND_LOOK = 2

/** Measures again where a row is so low that it may have fallen; what counts is all that was measured. */
export async function measureUntilSure(
  group: Group,
  options: BenchOptions,
  yardsticks: Map<string, Yardstick>,
  judge: Judge,
  scene: AsyncDisposableStack,
  say: (line: string) => void,
): Promise<ProofSection[]> {
  const refusals = noRefusals()
  const look = (rounds: number) => measure(group, options, rounds, refusals, scene, say)
  let found = await look(options.rounds)
  let told = ''
  const low = suspects(
    yardsticks,
    found.flatMap(({ rows }) => rows.map(toRow)),
    judge,
  )
  if (low.length > 0) {
    say(`${low.map(({ id }) => id).join(', ')}: lower than by the page, so it is measured again`)
    const before = found.flatMap(({ rows }) => rows)
    const again = await look(options.rounds * SECOND_LOOK)
    found = again.map((section) => ({ ...section, rows: pooled(before, section.rows) }))
    told = ` A ratio was low at first, so there are ${options.rounds} rounds more in the figures.`
  }
  return found.map((section) => ({
    ...section,
    text: `${section.text}${told} ${describeRefusals(refusals)}`,
    rows: section.rows.map(toRow),
  }))
}

async function measure(
  group: Group,
  options: BenchOptions,
  rounds: number,
  refusals: Refusals,
  scene: AsyncDisposableStack,
  say: (line: string) => void,
): Promise<BenchSection[]> {
  const own = scene.use(new AsyncDisposableStack())
  try {
    const folder = await ownFolder(own)
    const { form, seconds, growth, seed } = options
    const tell = (line: string) => say(`${group.id}: ${line}`)
    const context: BenchContext = {
      form,
      rounds,
      seconds,
      growth,
      seed,
      folder,
      scene: own,
      refusals,
      say: tell,
    }
    tell('begins')
    return await group.run(context)
  } finally {
    await own.disposeAsync()
  }
}

async function ownFolder(scene: AsyncDisposableStack): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'bellhop-bench-'))
  scene.defer(() => rm(folder, { recursive: true, force: true }))
  return folder
}
