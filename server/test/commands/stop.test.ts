import http from 'node:http'
import { connect } from 'node:net'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { isAlive } from '../../src/database/embedded/process.ts'
import { TICKET } from '../bellhop.ts'
import { familyOf, until } from '../database/embedded/processes.ts'
import { type MailDesk, startMailDesk } from '../deliveries/mail-desk.ts'
import { startTestIssuer, type TestIssuer } from '../http/tokens/test-issuer.ts'
import { fileTicket, mailBrandsFile, openShell, type Running, type Shell } from './command-line.ts'

const ROOT = join(import.meta.dirname, '../../..')

let shell: Shell
beforeEach(async () => {
  shell = await openShell({ used: true })
})
afterEach(() => shell.stop())

const demoToken = async () =>
  (await shell.run(['token', '--brand', 'acme', '--person', 'per_ada'])).out.trim()

/** Signals, and waits for the end: at most 10 s, status 0, no PostgreSQL left, nothing logged as an error. */
async function stopsCleanly(server: Running, ...signals: NodeJS.Signals[]): Promise<void> {
  const database = await shell.databasePid()
  expect(database).not.toBeNull()
  const since = performance.now()
  for (const signal of signals) server.child.kill(signal)
  const { status, signal, out } = await server.ended
  expect([status, signal]).toEqual([0, null])
  expect(performance.now() - since).toBeLessThan(10_000)
  expect(await shell.databasePid()).toBeNull()
  expect(database !== null && isAlive(database)).toBe(false)
  expect(out).not.toContain('"level":50')
}

test('told to stop under load it finishes what it has begun: who was answered has a ticket, and nobody else', async () => {
  const server = shell.start(['start'])
  const url = await server.url()
  const headers = { authorization: `Bearer ${await demoToken()}`, 'content-type': 'application/json' }
  const statuses: number[] = []
  const faults = new Set<string>()
  /** A connection each, so that none is closed while a request is on its way to it. */
  const file = () =>
    new Promise<boolean>((resolve) => {
      const request = http.request(`${url}/v1/support/tickets`, { method: 'POST', headers, agent: false })
      request.on('response', (response) => {
        response.resume().on('end', () => {
          statuses.push(response.statusCode ?? 0)
          resolve(true)
        })
      })
      request.on('error', (error: NodeJS.ErrnoException) => {
        faults.add(error.code ?? 'none')
        resolve(false)
      })
      request.end(JSON.stringify(TICKET))
    })
  const load = Array.from({ length: 8 }, async () => {
    while (await file()) {}
  })
  await until(() => statuses.length > 50)
  await stopsCleanly(server, 'SIGTERM')
  await Promise.all(load)
  expect(new Set(statuses)).toEqual(new Set([201]))
  // Whoever was let in was answered.
  expect(faults).toEqual(new Set(['ECONNREFUSED']))
  const list = await shell.run(['deliveries', '--state', 'delivered', '--limit', '999999', '--json'])
  expect(JSON.parse(list.out)).toHaveLength(statuses.length)
})

test('npm start passes a signal on', async () => {
  const npm = shell.spawn('npm', ['start'], { cwd: ROOT })
  await npm.url()
  const [, ...children] = await familyOf(npm.child.pid ?? 0)
  const database = await shell.databasePid()
  expect(database).not.toBeNull()
  npm.child.kill('SIGTERM')
  const { out } = await npm.ended
  expect(out).toContain('"event":"stopped"')
  await until(() => children.every((pid) => !isAlive(pid)))
  expect(await shell.databasePid()).toBeNull()
})

describe('while a desk hangs', () => {
  let desk: MailDesk
  let issuer: TestIssuer
  let server: Running
  beforeEach(async () => {
    desk = await startMailDesk()
    issuer = await startTestIssuer()
    const brands = await shell.writeBrands(mailBrandsFile(issuer, desk, '0s'))
    server = shell.start(['start'], { BRANDS_FILE: brands })
    desk.hold()
    const token = await issuer.token()
    expect((await fileTicket(await server.url(), token)).status).toBe(201)
    await until(() => desk.mails.length === 1)
  })
  afterEach(async () => {
    await desk.close()
    await issuer.close()
  })

  test('and a caller sends a body without an end, Ctrl-C stops it within 10 s and gives back its leases', async () => {
    const url = await server.url()
    const caller = connect(Number(new URL(url).port), '127.0.0.1')
    const drip = setInterval(() => caller.write(' '), 50)
    caller.on('error', () => clearInterval(drip))
    caller.write(
      `POST /v1/support/tickets HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${await issuer.token()}\r\n` +
        'Content-Type: application/json\r\nContent-Length: 1000\r\n\r\n{',
    )
    try {
      await until(() => !caller.connecting && caller.bytesWritten > 0)
      // What came later was answered, so the request is there.
      expect((await fetch(`${url}/healthz`)).status).toBe(200)
      // Under npm it arrives twice.
      await stopsCleanly(server, 'SIGINT', 'SIGINT')
    } finally {
      clearInterval(drip)
      caller.destroy()
    }
    const list = await shell.run(['deliveries', '--json'])
    expect(JSON.parse(list.out)).toEqual([
      expect.objectContaining({
        state: 'pending',
        attempts: 1,
        last_outcome: 'uncertain',
        last_code: 'aborted',
      }),
    ])
  })

  test('a second signal, at least a second after the first, ends it at once', async () => {
    server.child.kill('SIGTERM')
    await until(() => server.out().includes('"event":"stopping"'))
    server.child.kill('SIGTERM')
    // What is told here is that the second is a time of its own.
    await pause(1050)
    expect(server.child.exitCode).toBeNull()
    const since = performance.now()
    server.child.kill('SIGTERM')
    expect((await server.ended).status).toBe(1)
    expect(performance.now() - since).toBeLessThan(5000)
    expect(server.out()).toContain('"event":"stopped_at_once"')
  })
})
