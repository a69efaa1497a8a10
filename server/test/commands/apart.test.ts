import { dirname } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { until } from '../database/embedded/processes.ts'
import { createTestDatabase, type TestDatabase } from '../database/test-database.ts'
import { type MailDesk, messageIds, startMailDesk } from '../deliveries/mail-desk.ts'
import { attemptsOf, deliveryOf, makeDue, stateOf } from '../deliveries/rows.ts'
import { startTestIssuer, type TestIssuer } from '../http/tokens/test-issuer.ts'
import { fileTicket, mailBrandsFile, openShell, type Shell } from './command-line.ts'

let shell: Shell
let database: TestDatabase
let desk: MailDesk
let issuer: TestIssuer
beforeAll(async () => {
  shell = await openShell()
  database = await createTestDatabase({ migrated: false })
  desk = await startMailDesk()
  issuer = await startTestIssuer()
})
afterAll(async () => {
  await shell.stop()
  await desk.close()
  await issuer.close()
  await database.stop()
})

/** The test server as a URL names it: by the folder of its socket. */
function databaseUrl(): string {
  const { endpoint } = database
  if (endpoint.kind !== 'socket') throw new Error('it is reached by its socket')
  const { user, password, path, database: name } = endpoint
  return `postgresql://${user}:${encodeURIComponent(password)}@/${name}?host=${encodeURIComponent(dirname(path))}`
}

test('api accepts and worker carries, as processes of their own on one PostgreSQL', async () => {
  const environment = {
    DATABASE_URL: databaseUrl(),
    BRANDS_FILE: await shell.writeBrands(mailBrandsFile(issuer, desk, '10s')),
  }
  const migrated = await shell.run(['migrate'], environment)
  expect(migrated).toMatchObject({ status: 0, errors: '' })
  expect(migrated.out).toMatch(/^applied 0001-/)

  const api = shell.start(['api'], environment)
  const url = await api.url()
  desk.refuseMails.push(451)
  const filed = await fileTicket(url, await issuer.token())
  expect(filed).toMatchObject({ status: 201, body: { status: 'requested' } })
  await makeDue(database.sql, filed)
  // Nobody carries it yet: the api process has no worker.
  expect(await deliveryOf(database.sql, filed)).toMatchObject({ state: 'pending', attempts: 1 })

  const worker = shell.start(['worker'], { ...environment, WORKER_PORT: '0' })
  await until(async () => (await stateOf(database.sql, filed)) === 'delivered')
  expect((await attemptsOf(database.sql, filed)).map(({ outcome }) => outcome)).toEqual([
    'retry',
    'delivered',
  ])
  expect(messageIds(desk.mails)).toEqual(Array(2).fill(`<${filed.body.message_id}@acme.example>`))
  expect(desk.mails[1]).toBe(desk.mails[0])
  const holders = await database.sql`SELECT DISTINCT locked_by FROM attempts`
  expect(holders).toHaveLength(2)

  // Who watches the worker sees its attempts, and files no ticket there.
  const watched = await worker.url()
  expect((await fetch(`${watched}/readyz`)).status).toBe(200)
  const metrics = await (await fetch(`${watched}/metrics`)).text()
  expect(metrics).toMatch(
    /bellhop_delivery_attempt_duration_seconds_count\{connector="smtp",outcome="delivered"\} 1/,
  )
  expect(await fileTicket(watched, await issuer.token())).toMatchObject({ status: 404 })

  for (const process of [api, worker]) process.child.kill('SIGTERM')
  for (const ended of await Promise.all([api.ended, worker.ended])) {
    expect(ended).toMatchObject({ status: 0, errors: '' })
  }
  expect(await shell.databasePid()).toBeNull()
})
