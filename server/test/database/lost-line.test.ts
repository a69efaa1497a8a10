import { once } from 'node:events'
import { connect, createServer, type Server, type Socket } from 'node:net'
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest'
import { type Database, isDatabaseAway, openDatabase } from '../../src/database/pool.ts'
import { until } from './embedded/processes.ts'
import { startTestServer, type TestServer } from './test-database.ts'

let server: TestServer
let line: Server
let pairs: [Socket, Socket][]
let url: string
/** Whether the line tells process ids of its own, as a pooler does. */
let pooler: boolean
const open: Database[] = []

beforeAll(async () => {
  server = await startTestServer()
})
beforeEach(async () => {
  if (server.endpoint.kind !== 'socket') throw new Error('Expected a socket')
  const { path, user, password } = server.endpoint
  pairs = []
  pooler = false
  line = createServer((near) => {
    const far = connect(path)
    pairs.push([near, far])
    near.pipe(far)
    if (pooler) far.on('data', (bytes: Buffer) => near.write(withItsOwnId(bytes)))
    else far.pipe(near)
    for (const socket of [near, far]) socket.on('error', () => {})
  }).listen(0, '127.0.0.1')
  await once(line, 'listening')
  const address = line.address()
  if (address === null || typeof address === 'string') throw new Error('Expected a port')
  url = `postgres://${user}:${password}@127.0.0.1:${address.port}/bellhop`
})
afterEach(async () => {
  await Promise.all(open.splice(0).map((database) => database.close()))
  line.close()
  for (const pair of pairs) for (const socket of pair) socket.destroy()
})
afterAll(() => server.stop())

function pool(of: string): Database {
  const database = openDatabase({ kind: 'url', url: of }, { max: 2, applicationName: 'vitest' })
  open.push(database)
  return database
}

/** Something in between forgets the connections that there are: neither side hears of it, or of the other. */
function forget(): void {
  for (const [near, far] of pairs.splice(0)) {
    near.unpipe(far)
    far.unpipe(near)
    near.resume()
    far.resume()
  }
}

/** BackendKeyData (PostgreSQL manual, 54.7): K, its length, the process id, the secret. */
function withItsOwnId(bytes: Buffer): Buffer {
  const at = bytes.indexOf(Buffer.from([0x4b, 0, 0, 0, 12]))
  if (at >= 0) bytes.writeInt32BE(0x7000_0000 + pairs.length, at + 5)
  return bytes
}

const question = (database: Database) => database.run(1000, (sql) => sql`select 1`)

test('a primary is found among several hosts that are reached by TCP, where TLS is only preferred', async () => {
  const database = pool(
    `${url.replace(/\/bellhop$/, ',127.0.0.1:1/bellhop')}?target_session_attrs=read-write`,
  )
  expect(await database.run(4000, (sql) => sql`select 7 as seven`)).toEqual([{ seven: 7 }])
})

test('connections that were forgotten on the way are given up in seconds, though the server lives', async () => {
  const database = pool(url)
  await Promise.all([question(database), question(database)])
  expect(database.use().open).toBe(2)
  forget()
  const since = performance.now()
  await Promise.allSettled([question(database), question(database)])
  await until(() =>
    question(database).then(
      () => true,
      (error) => !isDatabaseAway(error),
    ),
  )
  expect(performance.now() - since).toBeLessThan(6000)
})

/** Longer than the time after which the server is asked what became of it. */
const longQuestion = (database: Database, seconds: number) =>
  database.run(9000, (sql) => sql`select pg_sleep(${seconds}), 1 as one, current_user as role`)

test('a statement that takes its time is waited for', async () => {
  expect(await longQuestion(pool(url), 6)).toMatchObject([{ one: 1 }])
}, 15_000)

test('it is where the sessions go on as another role than they log in as', async () => {
  await pool(url).sql`create role desk_role`
  const database = pool(`${url}?options=-c%20role%3Ddesk_role`)
  expect(await longQuestion(database, 4)).toMatchObject([{ one: 1, role: 'desk_role' }])
}, 15_000)

test('it is behind a pooler, whose process ids are not those of the server', async () => {
  pooler = true
  const database = pool(url)
  await Promise.all([question(database), question(database)])
  expect(await longQuestion(database, 4)).toMatchObject([{ one: 1 }])
}, 15_000)
