import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { expect, test } from 'vitest'
import { isAlive } from '../../server/src/database/embedded/process.ts'
import { until } from '../../server/test/database/embedded/processes.ts'
import type { Fault, FaultContext } from '../chaos/fault.ts'
import { mayBeWritten, runFault } from '../chaos/runner.ts'
import { PROOF_FOLDER } from '../page.ts'

const NOTHING = { acknowledged: null, present: null, arrived: null, doubles: null, checks: [] }

function fault(run: (context: FaultContext) => Promise<void>, settings: Partial<Fault> = {}): Fault {
  return {
    id: 'a-fault',
    title: 'A fault',
    times: { long: 7, short: 2 },
    run: async (context) => {
      await run(context)
      return { times: context.times, ...NOTHING }
    },
    ...settings,
  }
}

function options(settings: Partial<Parameters<typeof runFault>[1]> = {}) {
  const said: string[] = []
  return {
    form: 'long' as const,
    seed: 1,
    times: null,
    signal: new AbortController().signal,
    say: (line: string) => void said.push(line),
    said,
    ...settings,
  }
}

test('a row is made as often as its form says, or as it is told', async () => {
  const times: number[] = []
  const row = fault(async (context) => void times.push(context.times))
  await runFault(row, options())
  await runFault(row, options({ form: 'short' }))
  await runFault(row, options({ times: 3 }))
  expect(times).toEqual([7, 2, 3])
  expect(await runFault({ ...row, times: { long: 1, short: null } }, options({ form: 'short' }))).toBeNull()
})

test('the same seed makes the same faults, and each row has its own', async () => {
  const numbers = async (id: string, seed: number) => {
    const seen: number[] = []
    const row = fault(async ({ random }) => void seen.push(random(), random(), random()), { id })
    await runFault(row, options({ seed }))
    return seen
  }
  const first = await numbers('a', 1)
  expect(await numbers('a', 1)).toEqual(first)
  expect(await numbers('b', 1)).not.toEqual(first)
  expect(await numbers('a', 2)).not.toEqual(first)
  for (const number of first) expect(number >= 0 && number < 1).toBe(true)
})

test('one check that does not hold breaks a row, and stands first', async () => {
  const checks = [
    { what: 'half-written', seen: '0', ok: true },
    { what: 'lost', seen: '3', ok: false },
  ]
  const row = fault(async () => {}, { run: async () => ({ times: 7, ...NOTHING, acknowledged: 5, checks }) })
  expect(await runFault(row, options())).toMatchObject({
    verdict: 'broken',
    cells: ['A fault', '7', '5', '–', '–', '–', expect.stringMatching(/^BROKEN lost → 3; half-written → 0/)],
  })
})

test('a row that throws is broken, and one that cannot be made here says why', async () => {
  const thrown = fault(async () => {
    throw new Error('the dog ate it')
  })
  expect(await runFault(thrown, options())).toMatchObject({
    verdict: 'broken',
    cells: expect.arrayContaining(['the row itself broke: the dog ate it']),
  })
  const row = await runFault({ ...thrown, impossible: async () => 'needs root' }, options())
  expect(row).toMatchObject({ verdict: 'not run', cells: expect.arrayContaining(['needs root']) })
})

test('a row that was made fewer times than the page says is short, and one that made fewer than told is broken', async () => {
  const row = fault(async () => {})
  expect(await runFault(row, options({ times: 6 }))).toMatchObject({ verdict: 'short' })
  expect(await runFault(row, options({ times: 7 }))).toMatchObject({ verdict: 'held' })
  expect(await runFault(row, options({ form: 'short' }))).toMatchObject({ verdict: 'held' })
  const lazy = fault(async () => {}, { run: async () => ({ times: 6, ...NOTHING }) })
  expect(await runFault(lazy, options())).toMatchObject({
    verdict: 'broken',
    cells: expect.arrayContaining([expect.stringContaining('BROKEN faults made → 6 of 7')]),
  })
})

test('docs/proof takes no row that was made fewer times than the long form makes it', () => {
  const row = fault(async () => {})
  expect(mayBeWritten(row, 'long', null, PROOF_FOLDER)).toBe(true)
  expect(mayBeWritten(row, 'long', 7, PROOF_FOLDER)).toBe(true)
  expect(mayBeWritten(row, 'long', 6, `${PROOF_FOLDER}/`)).toBe(false)
  expect(mayBeWritten(row, 'short', null, PROOF_FOLDER)).toBe(false)
  expect(mayBeWritten(row, 'short', 1, '/elsewhere')).toBe(true)
})

test('a process that a row leaves behind breaks it and is ended, and its folder goes', async () => {
  let pid = 0
  let where = ''
  const row = fault(async ({ folder }) => {
    const child = spawn(process.execPath, ['-e', 'setInterval(() => {}, 1000)'], {
      cwd: folder,
      stdio: 'ignore',
    })
    await once(child, 'spawn')
    pid = child.pid ?? 0
    where = folder
  })
  const made = await runFault(row, options())
  expect(made).toMatchObject({ verdict: 'broken' })
  expect(made?.cells.at(-1)).toContain('BROKEN processes left behind → 1')
  await until(() => !isAlive(pid))
  expect(existsSync(where)).toBe(false)
})

test('told to stop, a row ends, and its folder goes', async () => {
  const stopping = new AbortController()
  let where = ''
  const row = fault(async ({ folder, signal }) => {
    where = folder
    setImmediate(() => stopping.abort())
    await once(signal, 'abort')
    signal.throwIfAborted()
  })
  await expect(runFault(row, options({ signal: stopping.signal }))).rejects.toThrow()
  expect(existsSync(where)).toBe(false)
})
