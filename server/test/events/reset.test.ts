import { once } from 'node:events'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest'
import { say } from '../../src/conversation/say.ts'
import type { Sql } from '../../src/database/pool.ts'
import { readHorizon } from '../../src/events/change.store.ts'
import { EventStreams, type EventStreamsDeps } from '../../src/events/event-streams.ts'
import type { Position } from '../../src/events/position.ts'
import { toId } from '../../src/ids.ts'
import { createLog } from '../../src/log.ts'
import { answer, type Opened, type Scene, setScene } from '../conversation/scene.ts'
import { type Listener, listen, until } from './listener.ts'

/** How far a process had read when the database went back to an earlier state: a million transactions further. */
const AHEAD = 1_000_000n

let scene: Scene
let streams: EventStreams
let server: Server
let url: string
let opened: Opened
/** Whether the next one who begins to read does so where the database was before it went back. */
let wasAhead = false
/** What the feed's looks wait for, and a stream that catches up. */
const gates = { look: Promise.resolve(), catchUp: Promise.resolve() }
const listeners: Listener[] = []
beforeAll(async () => {
  scene = await setScene()
  streams = new EventStreams({
    run,
    judge: () => ({ issuer: '', claims: {}, subject: null, clientId: null, scopes: [] }),
    secret: Buffer.alloc(32, 1),
    now: Date.now,
    random: () => 0.5,
    log: createLog({ level: 'debug', pretty: false, stream: { write() {} } }),
    times: { look: 20 },
  })
  server = createServer((request, response) => {
    const id = request.headers['last-event-id']
    const of = { ...opened, authorization: undefined, issuer: '', expiresAt: Number.POSITIVE_INFINITY }
    const begin = () => response.writeHead(200, { 'content-type': 'text/event-stream' })
    void streams.open(of, typeof id === 'string' ? id : null, begin, { ends() {}, closed() {} })
  })
  await once(server.listen(0, '127.0.0.1'), 'listening')
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
})
beforeEach(async () => {
  opened = await scene.open('inbox')
})
afterEach(async () => {
  for (const listener of listeners.splice(0)) listener.hangUp()
  await until(() => streams.count === 0)
  wasAhead = false
})
afterAll(async () => {
  await streams.stop()
  server.closeAllConnections()
  await new Promise((resolve) => server.close(resolve))
  await scene.stop()
})

const run: EventStreamsDeps['run'] = async (ms, work) => {
  const { database } = scene.database
  if (!wasAhead || work !== (readHorizon as unknown)) return database.run(ms, (sql) => work(gated(sql)))
  const horizon = await database.run(ms, readHorizon)
  const before: Position = { ...horizon, xid: horizon.xid + AHEAD }
  return before as Awaited<ReturnType<typeof work>>
}

function gated(sql: Sql): Sql {
  return new Proxy(sql, {
    apply(target, self, args) {
      const query = Reflect.apply(target, self, args as Parameters<Sql>)
      const text = String(args[0])
      if (text.includes('own AS MATERIALIZED')) return gates.catchUp.then(() => query)
      return text.includes('entry AS MATERIALIZED') ? gates.look.then(() => query) : query
    },
  })
}

async function hear(lastId?: string | null): Promise<Listener> {
  const id = toId('tkt', opened.ticketId)
  const listener = await listen(url, id, lastId ? { 'last-event-id': lastId } : {})
  listeners.push(listener)
  return listener
}

async function speak(): Promise<string> {
  const said = answer(opened)
  await scene.sql.begin((tx) => say(tx, scene.deps, said))
  return toId('msg', said.messageId)
}

const RESET = () => ({
  id: expect.any(String),
  event: 'reset',
  data: { type: 'reset', ticket_id: toId('tkt', opened.ticketId) },
})

test('a database that has gone back is told to all who listen, once, and what is said from then on is heard', async () => {
  const look = Promise.withResolvers<void>()
  gates.look = look.promise
  wasAhead = true
  const both = [await hear(), await hear()]
  look.resolve()
  for (const listener of both) expect(await listener.heard(1)).toEqual([RESET()])
  const said = await speak()
  for (const listener of both) {
    const events = await listener.heard(2)
    expect(events.map(({ event }) => event)).toEqual(['reset', 'message.created'])
    expect(events[1]?.data.message_id).toBe(said)
  }
  // The id that came with the reset is one of the state that the database is in now.
  wasAhead = false
  const resumed = await hear(both[0]?.events()[0]?.id)
  expect((await resumed.heard(1)).map(({ data }) => data.message_id)).toEqual([said])
})

test('also to one who is catching up at that moment', async () => {
  const first = await hear()
  const lastId = first.lastId()
  first.hangUp()
  await until(() => streams.count === 0)
  const catchUp = Promise.withResolvers<void>()
  gates.catchUp = catchUp.promise
  wasAhead = true
  const resumed = await hear(lastId)
  expect(await resumed.heard(1)).toEqual([RESET()])
  catchUp.resolve()
  for (let round = 0; round < 2; round++) {
    const said = await speak()
    const heard = () => resumed.events().filter(({ data }) => data.message_id === said).length
    await until(() => heard() === 1)
  }
  expect(resumed.events()).toHaveLength(3)
})
