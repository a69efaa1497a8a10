import { once } from 'node:events'
import http from 'node:http'
import { type AddressInfo, connect } from 'node:net'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { closeDoor } from '../../src/http/close-door.ts'
import { until } from '../database/embedded/processes.ts'

const CALLERS = 24

let server: http.Server
let port: number
let stopping: boolean
beforeEach(async () => {
  stopping = false
  server = http.createServer((request, response) => {
    request.resume()
    if (stopping) response.setHeader('connection', 'close')
    response.end('ok')
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  port = (server.address() as AddressInfo).port
})
afterEach(() => server.closeAllConnections())

/** One request on a connection of its own; its status, or the code of what broke it. */
function call(): Promise<number | string> {
  const { promise, resolve } = Promise.withResolvers<number | string>()
  const request = http.request({ port, host: '127.0.0.1', agent: false }, (response) => {
    response.resume().on('end', () => resolve(response.statusCode ?? 0))
  })
  request.on('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? 'none'))
  request.end()
  return promise
}

test('while callers come without a pause, each is answered or refused, and none is broken off', async () => {
  const ends = new Map<number | string, number>()
  const callers = Array.from({ length: CALLERS }, async () => {
    for (let end: number | string = 200; end === 200; ) {
      end = await call()
      ends.set(end, (ends.get(end) ?? 0) + 1)
    }
  })
  await until(() => (ends.get(200) ?? 0) > CALLERS)
  stopping = true
  await closeDoor(server)
  await Promise.all(callers)
  expect([...ends.keys()].sort()).toEqual([200, 'ECONNREFUSED'])
  expect(ends.get('ECONNREFUSED')).toBe(CALLERS)
})

test('nobody is waited for who has left, or who keeps a connection and says nothing more', async () => {
  const kept = connect(port, '127.0.0.1')
  kept.write('GET / HTTP/1.1\r\nHost: x\r\n\r\n')
  const closed = once(kept, 'close')
  await once(kept, 'data')
  kept.resume()
  // Such as a balancer's look whether anybody listens, in every moment.
  const visits = setInterval(() => {
    const visitor = connect(port, '127.0.0.1', () => visitor.end())
    visitor.on('error', () => {})
  }, 2)
  const since = performance.now()
  await closeDoor(server).finally(() => clearInterval(visits))
  await closed
  expect(performance.now() - since).toBeLessThan(5000)
  expect(await call()).toBe('ECONNREFUSED')
})

test('a server that does not listen has no door', async () => {
  await closeDoor(http.createServer())
})
