import { stat } from 'node:fs/promises'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { until } from '../database/embedded/processes.ts'
import { openShell, type Shell } from './command-line.ts'

let shell: Shell
beforeEach(async () => {
  shell = await openShell()
})
afterEach(() => shell.stop())

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

test('npx bellhop is the command line', async () => {
  const link = join(import.meta.dirname, '../../../node_modules/.bin/bellhop')
  expect((await stat(link)).mode & 0o111).not.toBe(0)
  const help = await shell.spawn(link, ['--help']).ended
  expect([help.status, help.errors]).toEqual([0, ''])
  for (const command of ['start', 'api', 'worker', 'migrate', 'token', 'deliveries', 'doctor']) {
    expect(help.out).toMatch(new RegExp(`^ {2}${command} `, 'm'))
  }
})
