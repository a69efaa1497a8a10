import { execFileSync } from 'node:child_process'
import { mkdtemp, rm, statfs, truncate, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type EmbeddedServer, startEmbedded } from '../../../src/database/embedded/embedded.ts'
import { type Database, isDatabaseAway, openDatabase } from '../../../src/database/pool.ts'
import { silent } from '../test-database.ts'
import { until } from './processes.ts'

/** A small disk of its own: only root may mount one. */
let disk: string | null = null
let server: EmbeddedServer
let database: Database

beforeAll(async () => {
  const folder = await mkdtemp(join(tmpdir(), 'bellhop-disk-'))
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=160m', 'tmpfs', folder], { stdio: 'ignore' })
  } catch {
    await rm(folder, { recursive: true })
    return
  }
  disk = folder
  server = await startEmbedded({ dataDir: join(folder, 'data'), command: 'vitest', log: silent })
  database = openDatabase(server.endpoint, { max: 4, applicationName: 'vitest' })
})
afterAll(async () => {
  if (disk === null) return
  await database.close()
  await server.stop()
  execFileSync('umount', [disk])
  await rm(disk, { recursive: true })
})

test('a full disk refuses, loses nothing that it acknowledged, and takes again once there is room', async (context) => {
  if (disk === null) return context.skip('only root may mount a small disk')
  await database.sql`create table kept (n int, text text)`
  let acknowledged = 0
  const write = async () => {
    try {
      await database.run(
        2000,
        (sql) => sql`insert into kept select ${acknowledged}, repeat(md5(random()::text), 2000)
        from generate_series(1, 20)`,
      )
      acknowledged += 20
      return 'written'
    } catch (error) {
      return isDatabaseAway(error) ? 'away' : String(error)
    }
  }
  expect(await write()).toBe('written')

  const { bavail, bsize } = await statfs(disk)
  const ballast = join(disk, 'ballast')
  await writeFile(ballast, Buffer.alloc(Math.max(0, bavail * bsize - 4 * 1024 * 1024)))
  // Until nothing fits, whether PostgreSQL has only refused or fallen over its log.
  const answers = new Set<string>()
  await until(async () => {
    answers.add(await write())
    return answers.has('away')
  })
  for (let n = 0; n < 5; n++) answers.add(await write())
  expect(answers).toEqual(new Set(['written', 'away']))

  await truncate(ballast)
  await until(async () => (await write()) === 'written')
  const [row] = await database.sql<{ count: number }[]>`select count(*) from kept`
  expect(row?.count).toBeGreaterThanOrEqual(acknowledged)
})
