import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { isAlive } from '../../src/database/embedded/process.ts'
import { until } from '../database/embedded/processes.ts'
import { fileTicket, openShell, type Shell } from './command-line.ts'

let shell: Shell
beforeEach(async () => {
  shell = await openShell({ used: true })
})
afterEach(() => shell.stop())

const token = async () => (await shell.run(['token', '--brand', 'acme', '--person', 'per_ada'])).out.trim()

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
