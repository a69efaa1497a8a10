/**
 * `npm run bench`: what Bellhop can do, as ratios to a floor or a peer in the same run, in alternating rounds.
 * The long form writes docs/proof/bench.{json,md}; both forms look for ratios that fell by more than a tenth
 * against that page's yardsticks, the short one for the steadiest alone.
 */

import { setTimeout as pause } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { bench } from './bench.ts'
import { BENCH_OPTIONS, HELP, readBenchOptions } from './options.ts'

/** Milliseconds for what was about to start when the command is told to stop. */
const LAST_START_MS = 20_000

const { values } = parseArgs({ options: BENCH_OPTIONS })
const scene = new AsyncDisposableStack()
let leaving = false

async function measure(): Promise<void> {
  try {
    const say = (line: string) => void process.stdout.write(`${line}\n`)
    process.exitCode = (await bench(readBenchOptions(values), scene, say)) ? 0 : 1
  } catch (error) {
    // While it is told to stop, what was under way fails.
    if (leaving) return
    process.stderr.write(`${error instanceof Error ? error.stack : error}\n`)
    process.exitCode = 1
  } finally {
    await scene.disposeAsync()
  }
}

const measured = values.help === true ? process.stdout.write(HELP) : measure()
for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.on(signal, async () => {
    if (leaving) return
    leaving = true
    process.stdout.write('\nstopping\n')
    await scene.disposeAsync()
    await Promise.race([measured, pause(LAST_START_MS)])
    process.exit(130)
  })
}
await measured
