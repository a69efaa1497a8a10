import { once } from 'node:events'
import { createServer, type Server, type Socket } from 'node:net'
import { afterEach, describe, expect, test } from 'vitest'
import { Connection } from '../connection.ts'
import { closedLoad, openLoad, percentile, rateOf } from '../load.ts'

const REQUEST = Buffer.from('GET / HTTP/1.1\r\nHost: a\r\n\r\n')
const CREATED = 'HTTP/1.1 201 Created\r\nContent-Length: 2\r\n\r\n{}'

let server: Server | null = null
const sockets = new Set<Socket>()
afterEach(async () => {
  for (const socket of sockets) socket.destroy()
  sockets.clear()
  const closing = server && once(server, 'close')
  server?.close()
  await closing
  server = null
})

/** A server that answers each request by what is written to its socket. */
async function serve(answer: (socket: Socket, request: number) => void): Promise<number> {
  let requests = 0
  const started = createServer((socket) => {
    sockets.add(socket)
    socket.on('error', () => {})
    socket.on('data', (bytes) => {
      const ends = bytes.toString().split('\r\n\r\n').length - 1
      for (let end = 0; end < ends; end++) answer(socket, ++requests)
    })
  })
  server = started
  started.listen(0, '127.0.0.1')
  await once(started, 'listening')
  const address = started.address()
  if (address === null || typeof address === 'string') throw new Error('no port')
  return address.port
}

async function statusesOf(
  count: number,
  answer: (socket: Socket, request: number) => void,
): Promise<number[]> {
  const connection = await Connection.open(await serve(answer))
  const statuses: number[] = []
  try {
    for (let sent = 0; sent < count; sent++) statuses.push(await connection.send(REQUEST))
  } finally {
    connection.close()
  }
  return statuses
}

describe('a connection of the load', () => {
  test('reads answers with a length, in pieces and after an interim one', async () => {
    const statuses = await statusesOf(2, (socket, request) => {
      if (request === 1) socket.write('HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 201 Created\r\nContent-Le')
      if (request === 1) setImmediate(() => socket.write('ngth: 2\r\n\r\n{}'))
      else socket.write('HTTP/1.1 204 No Content\r\n\r\n')
    })
    expect(statuses).toEqual([201, 204])
  })

  test('reads chunked answers, with trailers too', async () => {
    const chunked = 'HTTP/1.1 201 Created\r\nTransfer-Encoding: chunked\r\n\r\n'
    const statuses = await statusesOf(3, (socket, request) => {
      if (request === 1) socket.write(`${chunked}2\r\n{}\r\n0\r\n\r\n`)
      if (request === 2) socket.write(`${chunked}2\r\n{}\r\n0\r\nA: b\r\n\r\n`)
      if (request === 3) socket.write(`${chunked}2\r\n{`, () => socket.write('}\r\n0\r\n\r\n'))
    })
    expect(statuses).toEqual([201, 201, 201])
  })

  test('connects anew where the last answer said that it is the last', async () => {
    const statuses = await statusesOf(3, (socket) => {
      socket.end('HTTP/1.1 503 Service Unavailable\r\nConnection: close\r\nContent-Length: 2\r\n\r\n{}')
    })
    expect(statuses).toEqual([503, 503, 503])
  })

  test('reads an answer that ends with its connection', async () => {
    expect(await statusesOf(2, (socket) => socket.end('HTTP/1.1 200 OK\r\n\r\nall of it'))).toEqual([
      200, 200,
    ])
  })

  test('fails where the server breaks off, sends too much, or speaks something else', async () => {
    await expect(statusesOf(1, (socket) => socket.end(CREATED.slice(0, -1)))).rejects.toThrow(
      'before its answer',
    )
    await expect(statusesOf(1, (socket) => socket.write(`${CREATED}{}`))).rejects.toThrow(
      'more than its answer',
    )
    await expect(statusesOf(1, (socket) => socket.write('220 mail\r\n\r\n'))).rejects.toThrow(
      'no HTTP answer',
    )
  })
})

describe('a load', () => {
  test('counts what was answered, and a rate with refusals in it is no rate', async () => {
    const port = await serve((socket, request) =>
      socket.write(request % 5 === 0 ? CREATED.replace('201 Created', '503 Full') : CREATED),
    )
    const load = { port, connections: 4, seconds: 0.2, next: () => REQUEST }
    const result = await closedLoad(load)
    expect(result.answered).toBeGreaterThan(0)
    expect(result.refused.get(503)).toBeGreaterThan(0)
    expect(() => rateOf(result)).toThrow(/× 503/)
    expect(() => rateOf({ ...result, refused: new Map() })).not.toThrow()
  })

  test('fails where a connection breaks', async () => {
    const port = await serve((socket, request) => {
      if (request === 20) socket.destroy()
      else socket.write(CREATED)
    })
    await expect(closedLoad({ port, connections: 4, seconds: 5, next: () => REQUEST })).rejects.toThrow()
    const again = { port, perSecond: 200, seconds: 5, next: () => REQUEST }
    server?.close()
    await expect(openLoad(again)).rejects.toThrow()
  })

  test('in the open model charges a stall to all who would have waited in it', async () => {
    // From the 20th request on nobody is answered for 0.3 s, in which 60 more are due.
    const held: Socket[] = []
    let open = true
    const port = await serve((socket, request) => {
      if (request === 20) {
        open = false
        setTimeout(() => {
          open = true
          for (const one of held) one.write(CREATED)
        }, 300)
      }
      if (open) socket.write(CREATED)
      else held.push(socket)
    })
    const result = await openLoad({ port, perSecond: 200, seconds: 1, next: () => REQUEST })
    expect(result.answered).toBe(200)
    // A closed model would have seen one slow answer on each connection.
    const slow = result.latencies.filter((latency) => latency > 100).length
    expect(slow).toBeGreaterThan(30)
    expect(percentile(result.latencies, 100)).toBeGreaterThan(250)
  })
})
