import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { KeptPage } from '../page.ts'

const MAIN = join(import.meta.dirname, '../bench/main.ts')
/** As little as can be measured. */
const SMALL = ['--short', '--rounds', '1', '--seconds', '0.2', '--seed', '7']

let folder: string
/** What the bench has for its own folders. */
let temporary: string
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'bellhop-test-'))
  temporary = await mkdtemp(join(folder, 'tmp-'))
})
afterAll(() => rm(folder, { recursive: true, force: true }))

type Bench = { child: ChildProcess; out: () => string; ended: Promise<number | null> }

function bench(...args: string[]): Bench {
  const child = spawn(process.execPath, [MAIN, ...SMALL, ...args], {
    env: { ...process.env, TMPDIR: temporary },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let out = ''
  for (const stream of [child.stdout, child.stderr]) {
    stream?.on('data', (chunk: Buffer) => {
      out += chunk
    })
  }
  return { child, out: () => out, ended: once(child, 'close').then(([status]) => status) }
}

test('the short form wants a page to compare with, and says so before it measures', {
  timeout: 30_000,
}, async () => {
  const alone = bench('--only', 'acceptance', '--against', join(folder, 'nowhere'))
  expect(await alone.ended, alone.out()).toBe(1)
  expect(alone.out()).toMatch(/nowhere: expected bench\.json to compare with/)
  expect(alone.out()).not.toContain('acceptance')
})

test('the short form measures, writes where it is told to, and compares with the page', {
  timeout: 180_000,
}, async () => {
  const first = bench('--only', 'acceptance', '--accept', '--out', folder, '--against', folder)
  expect(await first.ended, first.out()).toBe(0)
  expect(first.out()).toContain('no page to compare with yet')
  const page: KeptPage = JSON.parse(await readFile(join(folder, 'bench.json'), 'utf8'))
  const [row, other] = page.sections.flatMap(({ rows }) => rows)
  expect(row).toMatchObject({ id: 'acceptance.fresh.32', run: { form: 'short', seed: 7 } })
  expect(other?.id).toBe('acceptance.returning.32')
  expect(await readFile(join(folder, 'bench.md'), 'utf8')).toMatch(
    /\| 32 connections, every token new +\| +[\d.]+ +\| the bare floor /,
  )
  expect(await readdir(temporary)).toEqual([])

  // Someone has made it ten times as slow as it was.
  if (row?.yardstick === undefined) throw new Error('the row has no yardstick')
  row.yardstick.ratio *= 10
  await writeFile(join(folder, 'bench.json'), JSON.stringify(page))
  const second = bench('--only', 'acceptance', '--out', folder, '--against', folder)
  expect(await second.ended, second.out()).toBe(1)
  expect(second.out().match(/acceptance: begins/g)).toHaveLength(2)
  expect(second.out()).toMatch(/regression: acceptance\.fresh\.32 is [\d.]+ and was [\d.]+ by the page/)
  // The page says what was measured, and the next run is compared with what it was before.
  const after: KeptPage = JSON.parse(await readFile(join(folder, 'bench.json'), 'utf8'))
  expect(after.sections[0]?.rows[0]).toMatchObject({ verdict: 'fell', yardstick: row.yardstick })
})

test('told to stop, it leaves no process and no folder', { timeout: 60_000 }, async () => {
  const { child, out, ended } = bench('--only', 'claims', '--seconds', '30', '--accept')
  while (!out().includes('claims: loops') && child.exitCode === null)
    await once(child.stdout ?? child, 'data')
  child.kill('SIGINT')
  expect(await ended, out()).toBe(130)
  expect(await readdir(temporary)).toEqual([])
})
