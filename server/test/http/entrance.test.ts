import { once } from 'node:events'
import { createServer, type RequestListener, type Server } from 'node:http'
import type { AddressInfo, Socket } from 'node:net'
import { setImmediate as nextTurn, setTimeout as pause } from 'node:timers/promises'
import { afterEach, describe, expect, test } from 'vitest'
import { putEntrance } from '../../src/http/entrance.ts'
import { TurnedAway } from '../../src/http/turned-away.ts'
import { Turns } from '../../src/http/turns.ts'
import { Unheard } from '../../src/http/unheard.ts'
import { createLog } from '../../src/log.ts'
import { headOf, openRaw, type RawConnection, sayRaw } from './raw-http.ts'

const servers: Server[] = []
const connections: RawConnection[] = []
afterEach(async () => {
  for (const { socket } of connections.splice(0)) socket.destroy()
  for (const server of servers.splice(0)) {
    server.closeAllConnections()
    await once(server.close(), 'close')
  }
})

async function serve(answer: RequestListener): Promise<{ server: Server; url: string }> {
  const server = createServer(answer)
  servers.push(server)
  await once(server.listen(0, '127.0.0.1'), 'listening')
  return { server, url: `http://127.0.0.1:${(server.address() as AddressInfo).port}` }
}

const ORIGIN = 'https://app.acme.example'

/** A server behind an entrance, with as much to do as is said. */
async function serveBehindEntrance(
  answer: RequestListener,
  keeping = () => 0,
  fullFor: number | null = null,
) {
  const { server, url } = await serve(answer)
  const stop = new AbortController()
  const stopping = stop.signal
  const origins = new Set([ORIGIN])
  const log = createLog({ level: 'silent', pretty: false, stream: { write: () => {} } })
  const turnedAway = new TurnedAway({ log, observe: () => {}, origins, stopping })
  putEntrance(server, { fullFor: () => fullFor, keeping, origins, turnedAway, stopping })
  return { url, server, stop }
}

const letIn: RequestListener = (_request, response) => response.end('in')
const MUCH = () => 1000

async function open(url: string): Promise<RawConnection> {
  const connection = await openRaw(url)
  connections.push(connection)
  return connection
}

/** So many who come at once, and the statuses that they have got so far. */
function come(url: string, count: number) {
  const statuses: number[] = []
  const all = Promise.all(
    Array.from({ length: count }, async () => {
      const { status } = await sayRaw(url, headOf('GET', '/come'))
      statuses.push(status)
    }),
  )
  return { statuses, all }
}

const countOf = (statuses: number[], status: number) => statuses.filter((one) => one === status).length

test('what one connection says all at once is answered in order', async () => {
  const { url } = await serveBehindEntrance((request, response) => response.end(request.url))
  const connection = await open(url)
  const paths = Array.from({ length: 50 }, (_, index) => `/${index}`)
  connection.write(paths.map((path) => headOf('GET', path)).join(''))
  for (const path of paths) expect((await connection.answer()).text).toBe(path)
})

test('who says more and more without an answer is not listened to any more', async () => {
  let keeping = 1000
  const { url, server } = await serveBehindEntrance(letIn, () => keeping)
  const accepted = once(server, 'connection')
  const connection = await open(url)
  const [socket] = (await accepted) as [Socket]
  const requests = headOf('GET', '/more').repeat(500_000)
  connection.write(requests)
  let before = -1
  await expect
    .poll(
      async () => {
        const same = socket.bytesRead === before
        before = socket.bytesRead
        return same && before > 0
      },
      { interval: 100 },
    )
    .toBe(true)
  expect(requests.length).toBeGreaterThan(15_000_000)
  expect(socket.bytesRead).toBeLessThan(1_000_000)
  expect((await sayRaw(url, headOf('GET', '/healthz'))).text).toBe('in')
  // Nor does it take the places of others.
  const other = await open(url)
  other.write(headOf('GET', '/other'))
  await sayRaw(url, headOf('GET', '/healthz'))
  expect(other.received()).toBe('')
  keeping = 0
  expect((await other.answer()).status).toBe(200)
})

test('while too much is at work, a request waits, and goes in as soon as there is less', async () => {
  let keeping = 1000
  const { url } = await serveBehindEntrance(letIn, () => keeping)
  const connection = await open(url)
  connection.write(headOf('GET', '/waits'))
  expect((await sayRaw(url, headOf('GET', '/healthz'))).text).toBe('in')
  expect(connection.received()).toBe('')
  keeping = 0
  expect((await connection.answer()).text).toBe('in')
})

test('a burst waits for two seconds; of a longer line, who has waited for most of one goes', async () => {
  const { url } = await serveBehindEntrance(letIn, MUCH)
  const since = performance.now()
  const { statuses, all } = come(url, 300)
  await expect.poll(() => statuses.length, { timeout: 5000 }).toBeGreaterThan(0)
  expect(performance.now() - since).toBeGreaterThan(700)
  await expect.poll(() => statuses.length).toBe(44)
  await pause(300)
  expect(statuses.length).toBe(44)
  await all
  expect(performance.now() - since).toBeGreaterThan(2000)
  expect(countOf(statuses, 503)).toBe(300)
})

test('who brings a connection for each request is let in as others are', async () => {
  const { url } = await serveBehindEntrance(letIn)
  const statuses = new Map<number, number>()
  const until = performance.now() + 1500
  const callers = Array.from({ length: 100 }, async () => {
    while (performance.now() < until) {
      const { status } = await sayRaw(url, headOf('GET', '/come'))
      statuses.set(status, (statuses.get(status) ?? 0) + 1)
    }
  })
  await Promise.all(callers)
  expect([...statuses.keys()]).toEqual([200])
})

test('who has gone meanwhile is not let in', async () => {
  let keeping = 1000
  const seen: string[] = []
  const { url } = await serveBehindEntrance(
    (request, response) => {
      if (request.url !== '/healthz') seen.push(request.url ?? '')
      response.end()
    },
    () => keeping,
  )
  const gone = await open(url)
  gone.write(headOf('GET', '/gone'))
  // Its bytes came before those of the next one, so that it stands in the line.
  await sayRaw(url, headOf('GET', '/healthz'))
  gone.socket.destroy()
  await gone.closed
  await sayRaw(url, headOf('GET', '/healthz'))
  keeping = 0
  await sayRaw(url, headOf('GET', '/next'))
  expect(seen).toEqual(['/next'])
})

test('who has gone meanwhile takes nobody a place', async () => {
  const { url } = await serveBehindEntrance(letIn, MUCH)
  const gone = await Promise.all(Array.from({ length: 250 }, () => open(url)))
  for (const { write } of gone) write(headOf('GET', '/gone'))
  await sayRaw(url, headOf('GET', '/healthz'))
  for (const { socket } of gone) socket.destroy()
  await Promise.all(gone.map(({ closed }) => closed))
  const since = performance.now()
  const { statuses, all } = come(url, 50)
  await expect.poll(() => statuses.length, { timeout: 5000 }).toBeGreaterThan(0)
  // They are a burst, and no longer line.
  expect(performance.now() - since).toBeGreaterThan(1900)
  await all
})

test('at a stop nobody waits for long, and each who waits is told', async () => {
  const { url, stop } = await serveBehindEntrance(letIn, MUCH)
  const waiting = await Promise.all(Array.from({ length: 50 }, () => open(url)))
  for (const { write } of waiting) write(headOf('GET', '/waits'))
  await sayRaw(url, headOf('GET', '/healthz'))
  const since = performance.now()
  stop.abort()
  const answers = await Promise.all(waiting.map((connection) => connection.answer()))
  expect(performance.now() - since).toBeLessThan(1900)
  expect(new Set(answers.map(({ status, headers }) => `${status} ${headers.connection}`))).toEqual(
    new Set(['503 close']),
  )
})

test('a preflight of a known origin does not wait; whoever else has options does', async () => {
  const { url } = await serveBehindEntrance(letIn, MUCH)
  const preflight = { origin: ORIGIN, 'access-control-request-method': 'POST' }
  const others = [
    { ...preflight, origin: 'https://elsewhere.example' },
    { origin: ORIGIN },
    { 'access-control-request-method': 'POST' },
  ]
  const waiting = await Promise.all(others.map(() => open(url)))
  others.forEach((headers, index) => {
    waiting[index]?.write(headOf('OPTIONS', '/', headers))
  })
  expect((await sayRaw(url, headOf('OPTIONS', '/', preflight))).text).toBe('in')
  expect((await sayRaw(url, headOf('OPTIONS', '/', preflight))).text).toBe('in')
  expect(waiting.map(({ received }) => received())).toEqual(['', '', ''])
})

describe('who is turned away, and has sent everything before reading, finds the answer', () => {
  test.each([
    ['and wants the connection closed', 'HTTP/1.1', { connection: 'close' }, false],
    ['by HTTP/1.0', 'HTTP/1.0', {}, false],
    ['at a stop', 'HTTP/1.1', {}, true],
  ])('%s', async (_who, version, headers, stops) => {
    const { url, stop } = await serveBehindEntrance(letIn, MUCH, 1)
    if (stops) stop.abort()
    const sizes = [30_000, 60_000, 500_000]
    const statuses = await Promise.all(
      Array.from({ length: 12 }, async (_, index) => {
        const size = sizes[index % sizes.length] ?? 0
        const connection = await open(url)
        connection.socket.pause()
        const head = headOf('POST', '/come', { ...headers, 'content-length': size })
        connection.write(head.replace('HTTP/1.1', version))
        for (let sent = 0; sent < size; sent += 10_000) {
          // The answer is there before the first of the body.
          await pause(sent < 30_000 ? 50 : 1)
          connection.socket.write(Buffer.alloc(10_000))
        }
        connection.socket.resume()
        const { status } = await connection.answer().catch(() => ({ status: 0 }))
        return status
      }),
    )
    expect(statuses).toEqual(Array(12).fill(503))
  })
})

test('of turns that accept a connection, one of four lets one in; of the others each lets in several', async () => {
  const turns = new Turns(() => {})
  const letInBy = async (comes: boolean) => {
    let count = 0
    if (comes) turns.noteConnection()
    turns.ask()
    await nextTurn()
    for (; turns.hasLeft; turns.spend()) count++
    return count
  }
  expect(await letInBy(false)).toBeGreaterThan(4)
  const counts: number[] = []
  for (let turn = 0; turn < 8; turn++) counts.push(await letInBy(true))
  expect(counts).toEqual([0, 0, 0, 1, 0, 0, 0, 1])
  expect(await letInBy(false)).toBeGreaterThan(4)
})

describe('who is unheard is heard again', () => {
  /** Says one thing more, to a server that does not hear it for now. */
  async function sayToTheDeaf(unheard: Unheard) {
    const { url } = await serve((request, response) => {
      if (request.url === '/held') unheard.hold(response)
      response.end()
    })
    const connection = await open(url)
    connection.write(headOf('GET', '/held'))
    await connection.answer()
    // The answer has left, and the hold has begun.
    await sayRaw(url, headOf('GET', '/other'))
    connection.write(headOf('GET', '/next'))
    await sayRaw(url, headOf('GET', '/other'))
    return connection
  }

  test('when its moment is over', async () => {
    const since = performance.now()
    const connection = await sayToTheDeaf(new Unheard(300))
    await connection.answer()
    expect(performance.now() - since).toBeGreaterThan(300)
  })

  test('at the end, however long its moment is', async () => {
    const unheard = new Unheard(60_000)
    const connection = await sayToTheDeaf(unheard)
    const before = connection.received()
    await pause(100)
    expect(connection.received()).toBe(before)
    unheard.end()
    await connection.answer()
  })
})
