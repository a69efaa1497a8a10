import { once } from 'node:events'
import https from 'node:https'
import { describe, expect, test } from 'vitest'
import type { Outcome } from '../../src/connectors/connector.ts'
import { type HttpBehaviour, httpAnswer, startFaultHttpServer } from './fault-http-server.ts'
import { NEVER, outgoingAttachment, outgoingMessage } from './outgoing-message.ts'
import { SELF_SIGNED } from './self-signed.ts'
import { at, connect, opened, start } from './webhook-desk.ts'

describe('what the desk answers decides', () => {
  const date = 'Sun, 01 Mar 2026 10:02:00 GMT'
  const rows: [
    behaviour: HttpBehaviour,
    outcome: Outcome,
    code: string,
    retryAfter: number | null,
    alarm: boolean,
  ][] = [
    [httpAnswer(200), 'delivered', 'http_200', null, false],
    [httpAnswer(202), 'delivered', 'http_202', null, false],
    [httpAnswer(299), 'delivered', 'http_299', null, false],
    [
      { raw: 'HTTP/1.1 103 Early\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n' },
      'delivered',
      'http_200',
      null,
      false,
    ],
    [httpAnswer(301, { location: '/elsewhere' }), 'retry', 'http_301', null, true],
    [httpAnswer(302, { location: 'http://127.0.0.1:1/' }), 'retry', 'http_302', null, true],
    [httpAnswer(304), 'retry', 'http_304', null, true],
    [httpAnswer(307, { location: '/elsewhere' }), 'retry', 'http_307', null, true],
    [httpAnswer(400), 'permanent', 'http_400', null, false],
    [httpAnswer(401), 'permanent', 'http_401', null, true],
    [httpAnswer(404), 'permanent', 'http_404', null, true],
    [httpAnswer(408), 'retry', 'http_408', null, false],
    [httpAnswer(409), 'permanent', 'http_409', null, false],
    [httpAnswer(413), 'permanent', 'http_413', null, false],
    [httpAnswer(422), 'permanent', 'http_422', null, false],
    [httpAnswer(425), 'retry', 'http_425', null, false],
    [httpAnswer(429, { 'retry-after': '120' }), 'retry', 'http_429', 120_000, false],
    [httpAnswer(429, { 'retry-after': 'soon' }), 'retry', 'http_429', null, false],
    [httpAnswer(429, { 'retry-after': '-5' }), 'retry', 'http_429', null, false],
    [httpAnswer(500), 'retry', 'http_500', null, false],
    [httpAnswer(503, { 'retry-after': date }), 'retry', 'http_503', 120_000, false],
    [httpAnswer(503, { 'retry-after': 'Sun, 01 Mar 2020 10:02:00 GMT' }), 'retry', 'http_503', 0, false],
    [httpAnswer(599), 'retry', 'http_599', null, false],
    [httpAnswer(799), 'retry', 'http_799', null, true],
  ]
  test.each(rows)('%j is %s (%s, %s ms)', async (behaviour, outcome, code, retryAfter, alarm) => {
    const server = await start(behaviour)
    const now = () => Date.parse('2026-03-01T10:00:00Z')
    const result = await connect(at(server), now).send(outgoingMessage(), NEVER)
    expect(result).toEqual({ outcome, code, answer: null, retryAfter, alarm })
    expect([server.received.length, server.connections]).toEqual([1, 1])
  })
})

describe('what becomes of a desk that breaks', () => {
  const head = 'HTTP/1.1 200 OK\r\ncontent-length: 1000000\r\n\r\n'
  const rows: [behaviour: HttpBehaviour, outcome: Outcome, code: string, arrived: number][] = [
    ['drop at the head', 'retry', 'connection_lost', 0],
    ['drop', 'uncertain', 'connection_lost_after_request', 1],
    ['reset', 'uncertain', 'connection_lost_after_request', 1],
    ['stall', 'uncertain', 'answer_timeout', 1],
    [{ raw: 'HTTP/1.1 200 OK\r\nx: ', next: 'drop' }, 'uncertain', 'connection_lost_after_request', 1],
    [{ raw: 'HTTP/1.1 200 OK\r\nx: ', next: 'drip' }, 'uncertain', 'answer_timeout', 1],
    [{ raw: 'SMTP/1.1 what\r\n\r\n', next: 'drop' }, 'uncertain', 'protocol_error', 1],
    [
      { raw: 'HTTP/1.1 101 Switching\r\nupgrade: x\r\nconnection: upgrade\r\n\r\n' },
      'uncertain',
      'connection_lost_after_request',
      1,
    ],
    [{ raw: `${head}ok`, next: 'drop' }, 'delivered', 'http_200', 1],
    [{ raw: `${head}ok`, next: 'stall' }, 'delivered', 'http_200', 1],
    [{ raw: `${head}ok`, next: 'drip' }, 'delivered', 'http_200', 1],
  ]
  test.each(rows)('%j is %s (%s)', async (behaviour, outcome, code, arrived) => {
    const server = await start(behaviour)
    const size = behaviour === 'drop at the head' ? 10 * 1024 * 1024 : 10
    const message = outgoingMessage({ attachments: [outgoingAttachment(Buffer.alloc(size))] })
    const result = await connect(at(server), Date.now).send(message, NEVER)
    expect(result).toMatchObject({ outcome, code, alarm: false })
    expect(server.received).toHaveLength(arrived)
    expect(server.connections).toBe(1)
  })
})

test('a desk that answers before it has read everything is heard, or asked again', async () => {
  const server = await start('refuse the body')
  const message = outgoingMessage({ attachments: [outgoingAttachment(Buffer.alloc(10 * 1024 * 1024))] })
  const { outcome, code } = await connect(at(server)).send(message, NEVER)
  expect([
    ['permanent', 'http_413'],
    ['retry', 'connection_lost'],
  ]).toContainEqual([outcome, code])
})

test('nothing listens, or the certificate is not one: nothing was sent', async () => {
  const gone = await startFaultHttpServer()
  await gone.close()
  expect(await connect(at(gone)).send(outgoingMessage(), NEVER)).toMatchObject({
    outcome: 'retry',
    code: 'connection_refused',
    alarm: false,
  })
  expect((await connect(at(gone)).verify(NEVER)).detail).toContain('connection_refused')

  let requests = 0
  const listener = https.createServer(SELF_SIGNED, () => {
    requests += 1
  })
  listener.listen(0, '127.0.0.1')
  await once(listener, 'listening')
  opened.push(async () => void listener.close())
  const address = listener.address()
  const url = `https://localhost:${typeof address === 'object' ? address?.port : 0}/`
  expect(await connect(url).send(outgoingMessage(), NEVER)).toMatchObject({
    outcome: 'retry',
    code: 'tls_failed',
    alarm: true,
  })
  expect((await connect(url).verify(NEVER)).detail).toContain('tls_failed')
  expect(requests).toBe(0)
})

test('a desk that takes the connection and never finishes TLS is given up in time', async () => {
  const server = await start('stall')
  const result = await connect(`https://127.0.0.1:${server.port}/`).send(outgoingMessage(), NEVER)
  expect(result).toMatchObject({ outcome: 'retry', code: 'connection_timeout', alarm: false })
})

test('a connection that the desk closed while it was idle costs nothing', async () => {
  const server = await start()
  const connector = connect(at(server))
  await connector.send(outgoingMessage(), NEVER)
  await server.hangUp()
  expect((await connector.send(outgoingMessage(), NEVER)).outcome).toBe('delivered')
  expect(server.connections).toBe(2)
})

test('an attempt that is called off ends at once, and says how far it had come', async () => {
  const server = await start('stall')
  const off = new AbortController()
  const attempt = connect(at(server)).send(outgoingMessage(), off.signal)
  while (server.received.length === 0) await new Promise(setImmediate)
  off.abort()
  expect(await attempt).toMatchObject({ outcome: 'uncertain', code: 'aborted' })
})
