/**
 * `npm run fuzz`: the HTTP surface, driven from /openapi.json, with every answer judged; then what stands in the
 * database. Its options are in options.ts. The exit status is 1 where anything did not hold.
 */

import { parseArgs } from 'node:util'
import { withFolder } from '../servers.ts'
import { fuzz } from './fuzz.ts'
import { FUZZ_OPTIONS, HELP, readFuzzOptions } from './options.ts'

const { values } = parseArgs({ options: FUZZ_OPTIONS })
const stopping = new AbortController()
for (const name of ['SIGINT', 'SIGTERM'] as const) process.on(name, () => stopping.abort())
const say = (line: string) => void process.stdout.write(`${line}\n`)

if (values.help) {
  process.stdout.write(HELP)
} else {
  try {
    const options = readFuzzOptions(values)
    const well = await withFolder((folder) => fuzz(folder, options, stopping.signal, say))
    process.exitCode = well ? 0 : 1
  } catch (error) {
    process.stderr.write(
      stopping.signal.aborted ? 'stopped\n' : `${error instanceof Error ? error.stack : error}\n`,
    )
    process.exitCode = stopping.signal.aborted ? 130 : 1
  }
}
