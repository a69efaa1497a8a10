import { execFileSync } from 'node:child_process'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type EmbeddedServer, startEmbedded } from '../../src/database/embedded/embedded.ts'
import { type Database, isDatabaseAway, openDatabase } from '../../src/database/pool.ts'
import { until } from './embedded/processes.ts'
import { type RawServer, startRawServer } from './raw-server.ts'
import { silent } from './test-database.ts'

let folder: string
let primary: EmbeddedServer
let standby: RawServer
let url: string

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'bellhop-failover-'))
  const start = () => startEmbedded({ dataDir: join(folder, 'a'), command: 'vitest', log: silent })
  primary = await start()
  await primary.stop()
  execFileSync('cp', ['-a', join(folder, 'a'), join(folder, 'b')])
  const cluster = join(folder, 'b/cluster')
  await writeFile(join(cluster, 'standby.signal'), '')
  primary = await start()
  standby = await startRawServer(cluster, { hot_standby: 'on' })
  if (primary.endpoint.kind !== 'socket') throw new Error('Expected a socket')
  const hosts = [cluster, join(folder, 'a/cluster')].join(',')
  url = `postgres://bellhop:${primary.endpoint.password}@/bellhop?host=${hosts}&target_session_attrs=read-write`
})
afterAll(async () => {
  await primary.stop()
  await standby.stop()
  await rm(folder, { recursive: true })
})

async function write(database: Database, n: number): Promise<string> {
  try {
    await database.run(3000, (sql) => sql`insert into written values (${n})`)
    return 'written'
  } catch (error) {
    return isDatabaseAway(error) ? 'away' : String(error)
  }
}

test('with the standby listed first, what is written goes to the primary, and after a failover to the new one', async () => {
  // The standby answers, and would take the session of a client that does not look.
  const standbyUrl = url.replace(/,[^&]*/, '')
  const lone = openDatabase({ kind: 'url', url: standbyUrl }, { max: 1, applicationName: 'vitest' })
  const refused = await until(() =>
    lone.sql`select 1`.then(
      () => new Error('The standby took a session'),
      (error: NodeJS.ErrnoException) => error.code !== 'CONNECT_FAILED' && error.code !== '57P03' && error,
    ),
  )
  expect(refused).toMatchObject({ code: 'CONNECTION_DESTROYED' })
  expect(isDatabaseAway(refused)).toBe(true)
  await lone.close()

  const database = openDatabase({ kind: 'url', url }, { max: 4, applicationName: 'vitest' })
  await database.sql`create table written (n int)`
  expect(await Promise.all([1, 2, 3, 4].map((n) => write(database, n)))).toEqual(Array(4).fill('written'))

  await primary.stop()
  expect(await write(database, 5)).toBe('away')
  // `pg_ctl promote`, by hand. The table is the primary's alone, since nothing is streamed here.
  await writeFile(join(folder, 'b/cluster/promote'), '')
  standby.child.kill('SIGUSR1')
  await until(() =>
    database
      // One that came to no answer in its time may have been carried out.
      .run(1000, (sql) => sql`create table if not exists written (n int)`)
      .then(
        () => true,
        (error: unknown) => {
          if (isDatabaseAway(error)) return false
          throw error
        },
      ),
  )
  expect(await write(database, 6)).toBe('written')
  await database.close()
})
