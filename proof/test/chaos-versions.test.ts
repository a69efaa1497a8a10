import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { mkdtemp, realpath, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { VERSION } from '../../server/src/version.ts'
import { previousRelease } from '../chaos/releases.ts'
import { countMigrations, layOutRelease, whyNotAtHand } from '../chaos/versions/old-program.ts'
import { sumOf } from '../chaos/versions/sum.ts'

const notAtHand = await whyNotAtHand(previousRelease())

test.skipIf(notAtHand !== null)(
  'the release before runs as it was released, beside this program',
  async () => {
    const folder = await mkdtemp(join(tmpdir(), 'bellhop-test-'))
    try {
      await layOutRelease(previousRelease(), folder)
      const version = execFileSync(process.execPath, [join(folder, 'server/src/main.ts'), '--version'])
      expect(version.toString().trim()).toBe(previousRelease().version)
      const home = await realpath(folder)
      for (const name of ['contract', 'server']) {
        expect(await realpath(join(folder, 'node_modules/@bellhop', name))).toBe(join(home, name))
      }
    } finally {
      await rm(folder, { recursive: true, force: true })
    }
  },
  // Packages that are not installed here come from the registry.
  300_000,
)

test('the release before is the newest below this one that CHANGELOG.md names', () => {
  const changelog = readFileSync(join(import.meta.dirname, '../../CHANGELOG.md'), 'utf8')
  const released = [...changelog.matchAll(/^## \[(\d+\.\d+\.\d+)\]/gm)].map(([, version]) => version)
  expect(released).toContain(VERSION)
  // The newest stands first.
  expect(previousRelease().version).toBe(released[released.indexOf(VERSION) + 1])
})

test.skipIf(notAtHand !== null)(
  'its migrations are counted, so that the row knows whether one is new',
  async () => {
    expect(await countMigrations(previousRelease())).toBe(1)
  },
)

test('where the history is not there, the row says so', async () => {
  const release = { version: '0.0.9', commit: '0123456789012345678901234567890123456789' }
  expect(await whyNotAtHand(release)).toContain('no history that holds 0.0.9')
})

test('twenty upgrades are one row, which holds only where each of them held', () => {
  const report = (lost: number, ended: string) => ({
    times: 1,
    acknowledged: 100,
    present: 100 - lost,
    arrived: 100 - lost,
    doubles: 1,
    checks: [
      { what: 'lost', seen: String(lost), ok: lost === 0 },
      { what: 'ends', seen: ended, ok: true },
    ],
  })
  expect(sumOf([report(0, 'status 0'), report(2, 'status 0'), report(0, 'status 0')])).toEqual({
    times: 3,
    acknowledged: 300,
    present: 298,
    arrived: 298,
    doubles: 3,
    checks: [
      { what: 'lost', seen: '2', ok: false },
      { what: 'ends', seen: 'status 0', ok: true },
    ],
  })
})
