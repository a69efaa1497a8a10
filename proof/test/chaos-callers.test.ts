import { once } from 'node:events'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterEach, expect, test } from 'vitest'
import { until } from '../../server/test/database/embedded/processes.ts'
import { Callers, type Outcome } from '../chaos/callers.ts'
import { Ledger } from '../chaos/ledger.ts'

const endings: (() => void)[] = []
afterEach(() => {
  for (const end of endings.splice(0)) end()
})

/** What a server does with the nth request; one that does nothing leaves it unanswered. */
type Behaviour = (number: number, request: IncomingMessage, response: ServerResponse) => void

async function startServer(behave: Behaviour): Promise<{ port: number; keys: string[] }> {
  const keys: string[] = []
  const server = createServer((request, response) => {
    request.resume().on('end', () => {
      keys.push(String(request.headers['idempotency-key']))
      behave(keys.length, request, response)
    })
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  endings.push(() => {
    server.closeAllConnections()
    server.close()
  })
  return { port: (server.address() as AddressInfo).port, keys }
}

function answer(response: ServerResponse, status: number, body: string, headers: object = {}): void {
  response.writeHead(status, { 'content-length': Buffer.byteLength(body), ...headers }).end(body)
}

function accept(response: ServerResponse): void {
  answer(response, 201, JSON.stringify({ ticket_id: 'tkt_1', message_id: 'msg_1' }))
}

function call(port: () => number | null, settings: object = {}) {
  const ledger = new Ledger()
  const ends: Outcome['answer'][] = []
  const callers = new Callers({
    port,
    callers: 1,
    persons: [{ id: 'per_ada', token: 'a.b.c' }],
    brands: ['acme'],
    ledger,
    retryAfter: 10,
    observe: ({ answer }) => ends.push(answer),
    ...settings,
  })
  endings.push(() => void callers.abandon())
  return { ledger, callers, ends }
}

test('a caller asks again with the same key, whatever happens, until the ticket is acknowledged', async () => {
  const { port, keys } = await startServer((number, request, response) => {
    if (number === 1) request.socket.destroy()
    else if (number === 2) answer(response, 503, '{}', { 'retry-after': '60' })
    else if (number === 3) answer(response, 409, '{}', { 'retry-after': '1' })
    else if (number === 4) {
      response.writeHead(201, { 'content-length': 50 }).write('{"ticket_id"')
      request.socket.end()
    } else accept(response)
  })
  const { ledger, callers } = call(() => port)
  await until(() => ledger.acknowledged > 0)
  await callers.stop()
  expect(new Set(keys.slice(0, 5)).size).toBe(1)
  expect(ledger.unanswered.get('broken')).toBe(2)
  expect([...ledger.statuses.keys()].sort()).toEqual([201, 409, 503])
  expect(ledger.acknowledged).toBe(ledger.begun)
})

test('where nobody listens it is refused, where nobody answers it is late, and neither is an answer', async () => {
  const { port } = await startServer((number, _request, response) => {
    if (number > 1) accept(response)
  })
  const gone = await startServer(() => {})
  endings.splice(-1)[0]?.()
  let where: number | null = null
  const { ledger, callers, ends } = call(() => where, { patience: 100 })
  where = gone.port
  await until(() => ends.includes('refused'))
  where = port
  await until(() => ledger.acknowledged > 0)
  await callers.stop()
  expect(ends).toContain('late')
  expect(ledger.statuses.get(201)).toBe(ledger.acknowledged)
})

test('an answer that should not be is kept, and the ticket is not asked for again', async () => {
  const { port, keys } = await startServer((number, _request, response) => {
    if (number === 1) answer(response, 500, '{"error":"internal_error"}')
    else accept(response)
  })
  const { ledger, callers } = call(() => port)
  await until(() => ledger.acknowledged > 0)
  await callers.stop()
  expect(keys[0]).not.toBe(keys[1])
  expect(ledger.unexpected.get(500)).toBe('internal_error')
  expect(ledger.begun).toBe(ledger.acknowledged + 1)
})

test('an answer whose end cannot be told is none that should be', async () => {
  const { port } = await startServer((number, _request, response) => {
    if (number === 1) response.writeHead(201).end('{}')
    else accept(response)
  })
  const { ledger, callers } = call(() => port)
  await until(() => ledger.acknowledged > 0)
  await callers.stop()
  expect(ledger.answerChecks()[0]).toMatchObject({ ok: false, seen: '1 × 0 unreadable' })
})
