import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type EmbeddedServer, startEmbedded } from '../../src/database/embedded/embedded.ts'
import { migrate } from '../../src/database/migrations.ts'
import { type Database, openDatabase } from '../../src/database/pool.ts'
import { startBellhop, type TestBellhop } from '../bellhop.ts'
import { until } from '../database/embedded/processes.ts'
import { MIGRATIONS, silent } from '../database/test-database.ts'
import type { TestIssuer } from '../http/tokens/test-issuer.ts'
import { type MailDesk, mailBrand, startMailDesk } from './mail-desk.ts'
import { endsOf, stateOf } from './rows.ts'

/** A database that can go away, which the one that all tests share must not. */
let dataDir: string
let server: EmbeddedServer
let database: Database
let desk: MailDesk
let issuing: TestBellhop
let bellhop: TestBellhop
const comeBack = async () => {
  server = await startEmbedded({
    dataDir,
    command: 'vitest',
    log: silent,
    settings: { fsync: 'off', full_page_writes: 'off' },
  })
}
const brands = (issuer: TestIssuer) => [
  mailBrand('acme', issuer, desk),
  mailBrand('globex', issuer, desk, 50),
]
/** Another process of this file on the database that can go away. */
const start = () =>
  startBellhop({ beside: { ...issuing, endpoint: server.endpoint, sql: database.sql }, brands })

beforeAll(async () => {
  dataDir = await mkdtemp(join(tmpdir(), 'bellhop-test-'))
  await comeBack()
  await migrate(server.endpoint, MIGRATIONS)
  database = openDatabase(server.endpoint, { max: 2, applicationName: 'vitest' })
  desk = await startMailDesk()
  issuing = await startBellhop()
  bellhop = await start()
})
afterAll(async () => {
  await bellhop.stop()
  await issuing.stop()
  await desk.close()
  await database.close()
  await server.stop()
  await rm(dataDir, { recursive: true, force: true })
})

test('while the database is away a ticket is not accepted, and the server says when to come again', async () => {
  const before = await bellhop.file()
  expect(before.status).toBe(201)
  await server.stop()
  const refused = await bellhop.file({}, { 'idempotency-key': 'during' })
  expect([refused.status, refused.body.error]).toEqual([503, 'unavailable'])
  expect(Number(refused.headers.get('retry-after'))).toBeGreaterThan(0)
  expect(refused.headers.get('content-type')).toContain('application/json')
  const read = await bellhop.ask(`/v1/support/tickets/${before.body.ticket_id}`)
  expect([read.status, read.body.error]).toEqual([503, 'unavailable'])
  expect((await bellhop.ask('/healthz')).status).toBe(200)
  expect((await bellhop.ask('/readyz')).status).toBe(503)

  await comeBack()
  await until(async () => (await bellhop.ask('/readyz')).status === 200)
  const after = await bellhop.file({}, { 'idempotency-key': 'during' })
  expect([after.status, after.body.status]).toEqual([201, 'sent'])
  expect(after.headers.get('idempotency-replayed')).toBeNull()
  expect((await bellhop.ask(`/v1/support/tickets/${before.body.ticket_id}`)).status).toBe(200)
  const [kept] = await database.sql`SELECT count(*)::int AS count FROM tickets`
  expect(kept?.count).toBe(2)
})

test('what the desk took while the database was away is written down afterwards, and not sent twice', async () => {
  desk.mails.length = 0
  const release = desk.hold()
  const filed = await bellhop.file({ brand_id: 'globex' })
  expect(filed.body.status).toBe('requested')
  // The outage is longer than the lease.
  await database.sql`UPDATE deliveries SET due_at = now() + interval '2 seconds' WHERE state = 'leased'`
  const over = Date.now() + 2000
  await server.stop()
  release()
  await until(() => desk.mails.length === 1)
  // The worker has seen that it cannot write.
  await until(async () => (await bellhop.file()).status === 503)
  await until(() => Date.now() > over)
  await comeBack()
  await until(async () => (await stateOf(database.sql, filed).catch(() => null)) === 'delivered')
  expect(await endsOf(database.sql, filed)).toEqual(['delivered smtp_250'])
  await until(async () => (await bellhop.file()).status === 201)
  expect(desk.mails.filter((mail) => mail.includes(String(filed.body.message_id)))).toHaveLength(1)
})

test('a database that ends every session meets no error of ours', async () => {
  const answers: Promise<number>[] = []
  for (let round = 0; round < 5; round++) {
    for (let count = 0; count < 8; count++) answers.push(bellhop.file().then(({ status }) => status))
    await database.sql`
      SELECT pg_terminate_backend(pid) FROM pg_stat_activity
      WHERE application_name LIKE 'bellhop%' AND pid <> pg_backend_pid()`
  }
  for (const status of await Promise.all(answers)) expect([201, 503]).toContain(status)
  await until(async () => (await bellhop.file()).status === 201)
  const [left] = await database.sql`SELECT count(*)::int AS count FROM deliveries WHERE state = 'dead'`
  expect(left?.count).toBe(0)
})

test('a process that is told to stop while the database is away does', async () => {
  const leaving = await start()
  const release = desk.hold()
  await leaving.file({ brand_id: 'globex' })
  await server.stop()
  release()
  const started = performance.now()
  await leaving.stop()
  expect(performance.now() - started).toBeLessThan(9500)
  await comeBack()
})
