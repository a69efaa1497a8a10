import type { ProofSection } from '../page.ts'
import type { BenchRow } from './comparison.ts'
import type { Refusals } from './refusals.ts'

/** A section of the page, whose rows may still get more rounds. */
export type BenchSection = Omit<ProofSection, 'rows'> & { rows: BenchRow[] }

/** What belongs together and is measured together; `--only` picks groups by their ids. */
export type Group = {
  /** Each of its rows' ids begins with it. */
  id: string
  inShort: boolean
  run(context: BenchContext): Promise<BenchSection[]>
  /** Whether a row of the page is none that this run makes; unset: none is. */
  leavesOut?(id: string, options: { growth: number }): boolean
}

export type BenchContext = {
  form: 'long' | 'short'
  /** Alternating rounds of each comparison. */
  rounds: number
  /** Of one measurement. */
  seconds: number
  /** Tickets in the largest database. */
  growth: number
  /** Of what is picked at random. */
  seed: number
  /** A folder of the group's own, which is removed after it. */
  folder: string
  /** What is started is stopped in reverse, when the group is over or the command is told to stop. */
  scene: AsyncDisposableStack
  /** What is refused in the group, for its section to tell. */
  refusals: Refusals
  say(line: string): void
}

/**
 * Waits for something to start, and has it stopped at the end of the scene.
 * @throws Error where the scene was over before it had started; then it is stopped at once
 */
export async function onStage<T extends { stop(): Promise<void> }>(
  scene: AsyncDisposableStack,
  starting: Promise<T>,
): Promise<T> {
  const one = await starting
  if (scene.disposed) {
    await one.stop()
    throw new Error('the scene is over')
  }
  scene.defer(() => one.stop())
  return one
}
