import { afterAll, beforeAll, expect, test } from 'vitest'
import { openShell, type Shell } from './command-line.ts'

let shell: Shell
beforeAll(async () => {
  shell = await openShell()
})
afterAll(() => shell.stop())

test('token prints one token and nothing else, and needs no server', async () => {
  const token = await shell.run(['token', '--brand', 'globex', '--person', 'per_ada', '--ttl', '5m'])
  expect(token).toMatchObject({
    status: 0,
    errors: '',
    out: expect.stringMatching(/^[\w-]+\.[\w-]+\.[\w-]+\n$/),
  })
  expect(await shell.databasePid()).toBeNull()
})

test('with a brands file there is no demo issuer, and it says so', async () => {
  const refused = await shell.run(['token', '--brand', 'globex', '--person', 'per_ada'], {
    BRANDS_FILE: 'any.yaml',
  })
  expect([refused.status, refused.out]).toEqual([1, ''])
  expect(refused.errors).toMatch(/^bellhop: The demo issuer exists only while BRANDS_FILE is unset/)
})
