import { stat } from 'node:fs/promises'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { isAlive } from '../../src/database/embedded/process.ts'
import { until } from '../database/embedded/processes.ts'
import { fileTicket, openShell, type Shell } from './command-line.ts'

let shell: Shell
beforeEach(async () => {
  shell = await openShell()
})
afterEach(() => shell.stop())

const token = async () => (await shell.run(['token', '--brand', 'acme', '--person', 'per_ada'])).out.trim()

test('a newcomer starts it, pastes the curl that it prints, and has filed a ticket', async () => {
  const server = shell.start(['start'])
  const url = await server.url()
  expect(url).toMatch(/^http:\/\/127\.0\.0\.1:\d+$/)
  const curl = await until(() => /^curl [\s\S]*?\n\n/m.exec(server.out())?.[0])
  const pasted = await shell.spawn('sh', ['-c', curl]).ended
  expect(pasted.status).toBe(0)
  expect(JSON.parse(pasted.out)).toEqual({
    ticket_id: expect.stringMatching(/^tkt_[0-9a-f]{32}$/),
    message_id: expect.stringMatching(/^msg_[0-9a-f]{32}$/),
    status: 'sent',
  })
  expect((await fetch(`${url}/docs`)).status).toBe(200)
  expect(server.errors()).toBe('')
})

test('a second start on the same DATA_DIR refuses, and says who holds it', async () => {
  const server = shell.start(['start'])
  await server.url()
  const second = await shell.run(['start'])
  expect(second.status).toBe(1)
  expect(second.errors).toMatch(/^bellhop: DATA_DIR: /)
  expect(second.errors).toContain(`bellhop start, pid ${server.child.pid}`)
  expect(second.errors).not.toMatch(/^\s+at /m)
  const port = new URL(await server.url()).port
  const elsewhere = await shell.run(['start'], { DATA_DIR: join(shell.dataDir, '../other'), PORT: port })
  expect([elsewhere.status, elsewhere.errors]).toEqual([
    1,
    'bellhop: PORT: another program listens on it already\n',
  ])
  expect((await fileTicket(await server.url(), await token())).status).toBe(201)
})

describe('killed with -9', () => {
  test('the server starts again on the same DATA_DIR, and has its tickets', async () => {
    const server = shell.start(['start'])
    const bearer = await token()
    const filed = await fileTicket(await server.url(), bearer)
    expect(filed.status).toBe(201)
    const orphan = await shell.databasePid()
    server.child.kill('SIGKILL')
    expect((await server.ended).signal).toBe('SIGKILL')
    const next = shell.start(['start'])
    const url = await next.url()
    const read = await fetch(`${url}/v1/support/tickets/${filed.body.ticket_id}`, {
      headers: { authorization: `Bearer ${bearer}` },
    })
    expect([read.status, await read.json()]).toEqual([
      200,
      expect.objectContaining({ ticket_id: filed.body.ticket_id }),
    ])
    expect(orphan === null || isAlive(orphan)).toBe(false)
  })

  test('the database comes back by itself, and so does the API', async () => {
    const server = shell.start(['start'])
    const url = await server.url()
    const bearer = await token()
    const filed = await fileTicket(url, bearer)
    const pid = await shell.databasePid()
    if (pid === null) throw new Error('no database')
    process.kill(pid, 'SIGKILL')
    await until(async () => (await shell.databasePid()) !== pid)
    await until(async () => {
      const { status } = await fileTicket(url, bearer)
      expect([201, 503]).toContain(status)
      return status === 201
    })
    expect((await fetch(`${url}/healthz`)).status).toBe(200)
    const read = await fetch(`${url}/v1/support/tickets/${filed.body.ticket_id}`, {
      headers: { authorization: `Bearer ${bearer}` },
    })
    expect(read.status).toBe(200)
    expect(server.child.exitCode).toBeNull()
  })
})

test('npx bellhop is the command line', async () => {
  const link = join(import.meta.dirname, '../../../node_modules/.bin/bellhop')
  expect((await stat(link)).mode & 0o111).not.toBe(0)
  const help = await shell.spawn(link, ['--help']).ended
  expect([help.status, help.errors]).toEqual([0, ''])
  for (const command of ['start', 'api', 'worker', 'migrate', 'token', 'deliveries', 'doctor']) {
    expect(help.out).toMatch(new RegExp(`^ {2}${command} `, 'm'))
  }
})
