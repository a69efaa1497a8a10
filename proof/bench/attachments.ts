import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { demoHolders, ticketsWithFile } from '../requests.ts'
import { type BenchRow, COMPARISON, comparison } from './comparison.ts'
import { compete } from './contest.ts'
import { loadOf, startDemoFloor, startFrontDoor, warmUp } from './front-door.ts'
import type { Group } from './group.ts'

const KIB = 1024

/** In 10 MiB there is a third of a byte too many for base64 without padding. */
const SIZES = [
  { id: '100k', name: '100 KiB', bytes: 100 * KIB - 1, connections: 32 },
  { id: '10m', name: '10 MiB', bytes: 10 * KIB * KIB - 1, connections: 4 },
]

export const attachments: Group = {
  id: 'attachments',
  inShort: false,
  async run(context) {
    const { rounds, seconds, folder, say, refusals } = context
    const bellhop = await startFrontDoor(context)
    const floor = await startDemoFloor(context)
    const holders = await demoHolders(folder, 'returning')
    const rows: BenchRow[] = []
    for (const { id, name, bytes, connections } of SIZES) {
      say(name)
      const next = ticketsWithFile(holders, bytes)
      await warmUp(bellhop.port, connections, 1, next, refusals)
      await warmUp(floor.ready.port, connections, 1, next, refusals)
      const rates = await compete(
        {
          floor: loadOf(floor.ready.port, connections, seconds, next),
          bellhop: loadOf(bellhop.port, connections, seconds, next),
        },
        rounds,
        refusals,
      )
      const what = `${name}, ${connections} connections`
      const against = { what: 'the floor with the file', rates: rates.floor }
      rows.push(
        comparison({ id: `attachments.${id}`, what, rates: rates.bellhop, floor: against, goal: null }),
      )
    }
    const peak = bellhop.peakMiB()
    await floor.stop()
    await bellhop.stop()
    await rm(join(folder, 'floor'), { recursive: true, force: true })
    return [
      {
        id: 'attachments',
        title: 'Acceptance with an attachment',
        text:
          `In ${rounds} alternating rounds of ${seconds} s, no two files with the same bytes, tokens that come back. ` +
          'The floor verifies each token, decodes the base64, hashes the bytes, writes and fsyncs the file once ' +
          'and inserts the same rows. Bellhop checks that the base64 is strict, tells the type from the bytes, ' +
          'writes beside and renames, fsyncs the folder too, so that the name survives a crash, and gives other ' +
          'requests their turn between slices of a large file.' +
          (peak === null ? '' : ` The most that Bellhop had resident meanwhile: ${peak.toFixed(0)} MiB.`),
        columns: COMPARISON,
        rows,
      },
    ]
  },
}
