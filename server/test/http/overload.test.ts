import { afterAll, beforeAll, expect, test } from 'vitest'
import { startBellhop, type TestBellhop } from '../bellhop.ts'
import { headOf, openRaw } from './raw-http.ts'

let bellhop: TestBellhop
beforeAll(async () => {
  bellhop = await startBellhop()
})
afterAll(() => bellhop.stop())

const announce = async (authorization: string, length: number) => {
  const connection = await openRaw(bellhop.url)
  const headers = { authorization, 'content-type': 'application/json', 'content-length': length }
  connection.write(headOf('POST', '/v1/support/tickets', { ...headers, expect: '100-continue' }))
  return { connection, answer: await connection.answer() }
}

test('more bytes than the process can bear are turned away, small ones and probes are not', async () => {
  const authorization = `Bearer ${await bellhop.issuer.token()}`
  const size = 26 * 1024 * 1024
  const invited: Awaited<ReturnType<typeof announce>>[] = []
  let last = await announce(authorization, size)
  for (; last.answer.status === 100 && invited.length < 50; last = await announce(authorization, size)) {
    invited.push(last)
  }
  expect([last.answer.status, last.answer.body.error]).toEqual([503, 'unavailable'])
  expect(Number(last.answer.headers['retry-after'])).toBeGreaterThan(0)
  expect(invited.length).toBeGreaterThan(5)
  expect((await bellhop.file()).status).toBe(201)
  for (const path of ['/healthz', '/readyz', '/metrics']) expect((await bellhop.ask(path)).status).toBe(200)

  // Who has no token takes nobody's place.
  for (const { connection } of invited.splice(0, 1)) connection.socket.destroy()
  await expect
    .poll(async () => {
      const next = await announce(authorization, size)
      next.connection.socket.destroy()
      return next.answer.status
    })
    .toBe(100)
  for (let round = 0; round < 20; round++) {
    const { connection, answer } = await announce('Bearer x', size)
    expect(answer.status).toBe(401)
    connection.socket.destroy()
  }
  for (const { connection } of [...invited, last]) connection.socket.destroy()
  await expect
    .poll(async () => {
      const next = await announce(authorization, size)
      next.connection.socket.destroy()
      return next.answer.status
    })
    .toBe(100)
})
