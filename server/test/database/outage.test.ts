import { connect, createServer, type Socket } from 'node:net'
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import { findEmbedded } from '../../src/database/embedded/embedded.ts'
import { readPidFile } from '../../src/database/embedded/socket.ts'
import {
  type Database,
  type DatabaseEndpoint,
  isDatabaseAway,
  openDatabase,
} from '../../src/database/pool.ts'
import { familyOf, until } from './embedded/processes.ts'
import { startTestServer, type TestServer } from './test-database.ts'

let server: TestServer
const open: Database[] = []
beforeAll(async () => {
  server = await startTestServer()
})
afterEach(async () => {
  await Promise.all(open.splice(0).map((database) => database.close()))
})
afterAll(() => server.stop())

function pool(endpoint: DatabaseEndpoint, max: number, statementTimeout = 10_000): Database {
  const database = openDatabase(endpoint, { max, applicationName: 'vitest', statementTimeout })
  open.push(database)
  return database
}

async function postmaster(): Promise<number> {
  const file = await readPidFile(`${server.dataDir}/cluster`)
  if (file === null) throw new Error('No server')
  return file.pid
}

/** How a request fares: its answer, or that the database is away, or what else went wrong. */
async function fares(work: Promise<unknown>): Promise<string> {
  try {
    await work
    return 'answered'
  } catch (error) {
    return isDatabaseAway(error) ? 'away' : String(error)
  }
}

test('a paused server holds nobody up, and what was refused meanwhile is not carried out later', async () => {
  const database = pool(server.endpoint, 2)
  await database.sql`create table paused (n int)`
  await database.run(1000, (sql) => sql`select 1`)
  const family = await familyOf(await postmaster())
  for (const pid of family) process.kill(pid, 'SIGSTOP')
  const started = performance.now()
  try {
    const asked = Array.from({ length: 30 }, (_, n) =>
      database.run(400, (sql) => sql`insert into paused values (${n})`),
    )
    expect(new Set(await Promise.all(asked.map(fares)))).toEqual(new Set(['away']))
    expect(performance.now() - started).toBeLessThan(4000)
    expect(database.use()).toMatchObject({ max: 2, waiting: 0 })
  } finally {
    for (const pid of family.toReversed()) process.kill(pid, 'SIGCONT')
  }
  await until(async () => (await fares(database.run(1000, (sql) => sql`select 1`))) === 'answered')
  const [row] = await database.sql<{ count: number }[]>`select count(*) from paused`
  // Those two that had already been sent may have been carried out, and no other.
  expect(row?.count).toBeLessThanOrEqual(2)
})

test('after a crash in the middle of many statements, every later one gets its own answer', async () => {
  const database = pool(server.endpoint, 4)
  const asked = Array.from({ length: 4 }, () => database.run(5000, (sql) => sql`select pg_sleep(${4})`))
  await until(async () => {
    const [row] = await database.run(1000, (sql) => sql`select 1`).catch(() => [null])
    const watcher = pool(server.endpoint, 1)
    const [busy] = await watcher.sql<{ count: number }[]>`
      select count(*) from pg_stat_activity where query like 'select pg_sleep%' and state = 'active'`
    return row === null && busy?.count === 4
  })
  process.kill(await postmaster(), 'SIGKILL')
  expect(await Promise.all(asked.map(fares))).toEqual(['away', 'away', 'away', 'away'])
  await until(() => findEmbedded(server.dataDir))
  await until(async () => (await fares(database.run(1000, (sql) => sql`select 1`))) === 'answered')
  const later = Array.from({ length: 40 }, (_, n) => database.run(2000, (sql) => sql`select ${n}::int as n`))
  expect(await Promise.all(later)).toEqual(Array.from({ length: 40 }, (_, n) => [{ n }]))
})

test('a host that vanishes without a word is given up, and found again when it is back', async () => {
  if (server.endpoint.kind !== 'socket') throw new Error('Expected a socket')
  const { path, user, password } = server.endpoint
  let vanished = false
  const sockets = new Set<Socket>()
  const wire = createServer((near) => {
    const far = connect(path)
    for (const socket of [near, far]) {
      sockets.add(socket)
      socket.on('error', () => {})
      socket.on('close', () => {
        if (vanished) return
        near.destroy()
        far.destroy()
      })
    }
    near.on('data', (bytes) => vanished || far.write(bytes))
    far.on('data', (bytes) => vanished || near.write(bytes))
  })
  await new Promise<void>((resolve) => wire.listen(0, '127.0.0.1', resolve))
  const address = wire.address()
  if (address === null || typeof address === 'string') throw new Error('Expected a port')

  // A short statement timeout, so that silence is noticed 5 s after it.
  const url = `postgres://${user}:${password}@127.0.0.1:${address.port}/bellhop?connect_timeout=1`
  const database = pool({ kind: 'url', url }, 2, 200)
  await Promise.all([database.run(3000, (sql) => sql`select 1`), database.run(3000, (sql) => sql`select 2`)])
  expect(database.use().open).toBe(2)
  vanished = true
  const asked = Array.from({ length: 4 }, () => database.run(300, (sql) => sql`select 1`))
  expect(new Set(await Promise.all(asked.map(fares)))).toEqual(new Set(['away']))
  await until(() => database.use().open === 0)
  vanished = false
  await until(async () => (await fares(database.run(1000, (sql) => sql`select 1`))) === 'answered')
  for (const socket of sockets) socket.destroy()
  wire.close()
})
