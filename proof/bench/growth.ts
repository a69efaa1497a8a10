import { execFile } from 'node:child_process'
import { statfs } from 'node:fs/promises'
import { promisify } from 'node:util'
import type { ProofRow } from '../page.ts'
import type { BenchRow, Comparison } from './comparison.ts'
import { BYTES_PER_TICKET, FILLING, fill } from './fill.ts'
import { type BenchContext, type Group, onStage } from './group.ts'
import { JUDGED, measureGrown } from './grown.ts'
import { type BenchDatabase, dropDatabase, startPostgres, withSql } from './postgres.ts'

/** What the other one holds: enough that a list has a page to show and a read something to read. */
const EMPTY = 1000
const SIZES = [0, 100_000, 1_000_000, JUDGED]
/** Bytes of disk that stay free. */
const SPARE = 4 * 2 ** 30

export const KINDS = ['accept', 'claim', 'read', 'list', 'count'] as const

export const growth: Group = {
  id: 'growth',
  inShort: false,
  leavesOut(id, { growth: largest }) {
    const size = Number(id.split('.').at(-1))
    return size > largest || !SIZES.includes(size)
  },
  async run(context) {
    const { growth: largest, folder } = context
    const sizes = [...SIZES.filter((size) => size < largest), largest]
    const rows: BenchRow[] = []
    if (largest < JUDGED) context.say(`its goals are set at ${JUDGED} tickets, so none is judged`)
    for (const size of sizes) {
      const { bavail, bsize } = await statfs(folder)
      const wanted = size * BYTES_PER_TICKET + SPARE
      if (bavail * bsize < wanted) rows.push(...noRoom(size, wanted))
      else rows.push(...(await measureSize(context, size)))
    }
    return [
      {
        id: 'growth',
        title: 'Growth',
        text:
          `Two databases on one PostgreSQL with Bellhop's own settings (128 MB of shared buffers), in ` +
          `${context.rounds} alternating rounds: one with a year of tickets, made in bulk by SQL with everything ` +
          `that belongs to a ticket, and one with ${EMPTY.toLocaleString('en')}; at 0 both are alike, which shows ` +
          'what the machine does by itself. Each has a `bellhop api` of its own. In both, what the rounds before ' +
          'have added stays. Of the tickets one in 200 is undelivered and one in 200 has failed. Accept: tokens ' +
          'that come back, 32 connections. Claim: a loop of claims of 40 at most, each with its end, among what ' +
          'waits. Read: `GET` by the owner, tickets of the whole year at random, 8 connections. List: a page of 50 ' +
          'of what `bellhop deliveries` shows, from among all that is undelivered or failed. Count: what ' +
          '`/metrics` asks. List and count have more to look through where more has failed, since one in 100 has: ' +
          'the ratio says what that costs.',
        columns: ['tickets', '', 'a second', 'empty, a second', 'ratio', 'spread', 'goal'],
        rows,
        order: KINDS.flatMap((kind) => everySize(largest).map((size) => `growth.${kind}.${size}`)),
      },
    ]
  },
}

/** Also those of an earlier run that went further. */
function everySize(largest: number): number[] {
  return [...new Set([...SIZES, largest])].sort((a, b) => a - b)
}

async function measureSize(context: BenchContext, size: number): Promise<Comparison[]> {
  const { say, folder, scene } = context
  const own = scene.use(new AsyncDisposableStack())
  try {
    const filling = await onStage(own, startPostgres(folder, FILLING))
    const [full, empty] = [await filling.create(), await filling.create()]
    const began = performance.now()
    await fill(full.endpoint, size === 0 ? EMPTY : size, say)
    await fill(empty.endpoint, EMPTY, () => {})
    await filling.stop()
    // What is still to be written would be in the way of what is measured.
    await promisify(execFile)('sync')
    const seconds = (performance.now() - began) / 1000
    await onStage(own, startPostgres(folder))
    const bytes = await sizeOf(full)
    say(`${size} tickets take ${gib(bytes)} and were made in ${seconds.toFixed(0)} s`)
    const rows = await measureGrown({ ...context, scene: own }, full, empty, size, gib(bytes))
    for (const { endpoint } of [full, empty]) await dropDatabase(endpoint)
    return rows
  } finally {
    await own.disposeAsync()
  }
}

async function sizeOf({ endpoint }: BenchDatabase): Promise<number> {
  return withSql(endpoint, async (sql) => {
    const [row] = await sql<{ bytes: number }[]>`SELECT pg_database_size(current_database())::float8 AS bytes`
    return row?.bytes ?? Number.NaN
  })
}

function noRoom(size: number, wanted: number): ProofRow[] {
  return KINDS.map((kind) => ({
    id: `growth.${kind}.${size}`,
    cells: [size.toLocaleString('en'), `${kind}: it takes ${gib(wanted)} of free disk`, '', '', '', '', ''],
    verdict: 'not run',
  }))
}

function gib(bytes: number): string {
  return `${(bytes / 2 ** 30).toFixed(bytes < 2 ** 30 ? 2 : 1)} GiB`
}
