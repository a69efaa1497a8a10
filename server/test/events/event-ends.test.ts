import { afterEach, describe, expect, test } from 'vitest'
import { startBellhop } from '../bellhop.ts'
import { lineTo } from '../http/cut-database.ts'
import { openRaw } from '../http/raw-http.ts'
import { type EventScene, OFTEN, type OpenedTicket, setEventScene } from './event-scene.ts'
import { until } from './listener.ts'

const cleanUps: (() => Promise<void>)[] = []
afterEach(async () => {
  for (const cleanUp of cleanUps.splice(0).reverse()) await cleanUp()
})

async function set(options: Parameters<typeof setEventScene>[0] = {}): Promise<EventScene> {
  const scene = await setEventScene(options)
  cleanUps.push(() => scene.stop())
  return scene
}

/** How many streams have ended for this reason. */
async function ended({ bellhop }: EventScene, reason: string): Promise<number> {
  const { text } = await bellhop.ask('/metrics')
  return Number(
    new RegExp(`^bellhop_event_streams_ended_total{reason="${reason}"} (\\d+)$`, 'm').exec(text)?.[1],
  )
}

type Line = { event: string; route?: string; code?: string; ms: number; status: number }
const linesOf = (scene: EventScene) =>
  scene.bellhop
    .logged()
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as Line)
    .filter(({ event, route }) => event === 'request' && route?.endsWith('/events'))

async function openBy(scene: EventScene, token: string): Promise<OpenedTicket> {
  return { ...(await scene.open({ person_id: 'per_opaque' }, token)), token }
}

describe('a stream ends', () => {
  test('when its token does', async () => {
    let ahead = 0
    const scene = await set({ now: () => Date.now() + ahead })
    const ticket = await scene.open()
    const listener = await scene.listen(ticket)
    ahead = 3_500_000
    await scene.speak(ticket)
    await listener.heard(1)
    ahead = 3_600_000 + 31_000
    await listener.ended
    expect(listener.response.complete).toBe(true)
    await until(async () => (await ended(scene, 'token')) === 1)
    expect(linesOf(scene)).toEqual([
      expect.objectContaining({ status: 200, code: 'token', ms: expect.any(Number) }),
    ])
  })

  test('when its token is revoked, within a minute', async () => {
    let ahead = 0
    const scene = await set({
      now: () => Date.now() + ahead,
      issuers: (issuer) => [issuer.introspection()],
      streamTimes: { ...OFTEN, judge: 20 },
    })
    const { opaque } = scene.bellhop.issuer
    opaque.set('stays', { active: true, sub: 'per_opaque', exp: 9_999_999_999 })
    opaque.set('goes', { active: true, sub: 'per_opaque', exp: 9_999_999_999 })
    const ticket = await openBy(scene, 'stays')
    const stays = await scene.listen(ticket)
    const goes = await scene.listen({ ...ticket, token: 'goes' })
    opaque.set('goes', { active: false })
    ahead = 30_000
    await goes.ended
    expect(goes.response.complete).toBe(true)
    await scene.speak(ticket)
    await stays.heard(1)
    expect(await ended(scene, 'token')).toBe(1)
  })

  test('when nobody says any longer that its token holds', async () => {
    let ahead = 0
    const scene = await set({
      now: () => Date.now() + ahead,
      issuers: (issuer) => [issuer.introspection()],
      streamTimes: { ...OFTEN, judge: 20, judgeAgain: 20, held: 400 },
    })
    const { issuer } = scene.bellhop
    issuer.opaque.set('one', { active: true, sub: 'per_opaque', exp: 9_999_999_999 })
    const ticket = await openBy(scene, 'one')
    const listener = await scene.listen(ticket)
    const asked = issuer.asked.token
    issuer.mode = 'error'
    ahead = 30_000
    await listener.ended
    // It was asked again and again, and once it is back, so is the client.
    expect(issuer.asked.token - asked).toBeGreaterThan(2)
    issuer.mode = 'well'
    await scene.speak(ticket)
    const again = await scene.listen(ticket, { 'last-event-id': listener.lastId() ?? '' })
    await again.heard(1)
    expect(await ended(scene, 'unavailable')).toBe(1)
  })

  test('when its reader does not read, and keeps no other reader waiting', async () => {
    const scene = await set()
    const ticket = await scene.open()
    const other = await scene.open()
    const reads = await scene.listen(other)
    const slow = await openRaw(scene.bellhop.url)
    slow.write(streamRequest(ticket))
    await until(() => slow.received().includes('retry: 2000'))
    slow.socket.pause()
    await scene.bellhop.sql`
      INSERT INTO audit_entries (brand_id, id, actor, action, ticket_id, status)
      SELECT 'acme', uuidv7(), 'desk', 'ticket.status', ${ticket.ticketId}, 'open' FROM generate_series(1, 60000)`
    await scene.speak(other)
    await reads.heard(1)
    await until(async () => (await ended(scene, 'slow')) === 1)
    expect(linesOf(scene).map(({ code }) => code)).toEqual(['slow'])
    slow.socket.resume()
    await slow.closed
    expect(await scene.openStreams()).toBe(1)
  })

  test('when its client hangs up, and its line says how long it was open', async () => {
    const scene = await set()
    const listener = await scene.listen(await scene.open())
    const opened = performance.now()
    listener.hangUp()
    await until(async () => (await ended(scene, 'gone')) === 1)
    const [line] = linesOf(scene)
    expect(line).toMatchObject({ status: 200, code: 'gone' })
    expect(line?.ms).toBeLessThan(performance.now() - opened + 1000)
    expect((await scene.bellhop.ask('/metrics')).text).not.toMatch(/duration_seconds_count{.*events/)
  })

  test('when the server stops, which waits for none of them', async () => {
    const scene = await setEventScene()
    const ticket = await scene.open()
    const listeners = await Promise.all(Array.from({ length: 3 }, () => scene.listen(ticket)))
    const still = await openRaw(scene.bellhop.url)
    still.write(streamRequest(ticket))
    await until(() => still.received().includes('retry: 2000'))
    const started = performance.now()
    const stopped = scene.bellhop.stop()
    await Promise.all(listeners.map(({ ended }) => ended))
    expect(performance.now() - started).toBeLessThan(4000)
    expect(listeners.map(({ response }) => response.complete)).toEqual([true, true, true])
    await stopped
    expect(performance.now() - started).toBeLessThan(8000)
    await still.closed
    expect(linesOf(scene).map(({ code }) => code)).toEqual(Array(4).fill('stopping'))
  })
})

describe('streams are bounded', () => {
  test('five of one person, and a sixth once one has ended', async () => {
    const scene = await set()
    const ticket = await scene.open()
    const listeners = await Promise.all(Array.from({ length: 5 }, () => scene.listen(ticket)))
    const refused = await scene.listen(ticket)
    expect([refused.status, refused.headers['retry-after']]).toEqual([429, '30'])
    expect((await scene.listen(await scene.open())).status).toBe(200)
    listeners[0]?.hangUp()
    await until(async () => (await ended(scene, 'gone')) === 1)
    expect((await scene.listen(ticket)).status).toBe(200)
  })

  test('so many of a process, where they are refused takes no place', async () => {
    const scene = await set({ eventStreams: 2 })
    const [one, two, three] = [await scene.open(), await scene.open(), await scene.open()]
    expect((await scene.listen({ ...one, id: three.id })).status).toBe(404)
    expect((await scene.listen(one, { 'last-event-id': 'made up' })).status).toBe(400)
    await scene.listen(one)
    await scene.listen(two)
    const refused = await scene.listen(three)
    expect([refused.status, refused.headers['retry-after']]).toEqual([503, '30'])
  })

  test('and hold no place of the requests that the server can bear', async () => {
    const scene = await set({ inFlight: { requests: 2, bytes: 1_000_000 } })
    const ticket = await scene.open()
    for (let index = 0; index < 5; index++) expect((await scene.listen(ticket)).status).toBe(200)
    const asked = { headers: { authorization: `Bearer ${ticket.token}` } }
    expect((await scene.bellhop.ask(`/v1/support/tickets/${ticket.id}`, asked)).status).toBe(200)
  })

  test('and what is sent behind one on its connection breaks it off, since it would hold its place for as long', async () => {
    const scene = await set()
    const ticket = await scene.open()
    const together = await openRaw(scene.bellhop.url)
    const read = streamRequest(ticket).replace('/events', '')
    together.write(streamRequest(ticket) + read)
    await together.closed
    const later = await openRaw(scene.bellhop.url)
    later.write(streamRequest(ticket))
    await until(() => later.received().includes('retry: 2000'))
    later.write(read)
    await later.closed
    // Behind one that was refused, anything may come.
    const refused = await openRaw(scene.bellhop.url)
    refused.write(streamRequest({ ...ticket, id: 'tkt_none' }))
    expect((await refused.answer()).status).toBe(404)
    refused.write(read)
    expect((await refused.answer()).status).toBe(200)
    refused.socket.destroy()
  })
})

describe('who may not listen', () => {
  test('is told as with the ticket itself, and a token in the path is none', async () => {
    const scene = await set()
    const ticket = await scene.open()
    const path = `/v1/support/tickets/${ticket.id}/events`
    const ask = (init?: RequestInit) => scene.bellhop.ask(path, init)
    const anonymous = { headers: { authorization: '' } }
    expect((await ask()).body.error).toBe('not_found')
    expect((await ask(anonymous)).body.error).toBe('unauthorized')
    const inPath = await scene.bellhop.ask(`${path}?access_token=${ticket.token}`, anonymous)
    expect(inPath.body.error).toBe('unauthorized')
    const head = await ask({ method: 'HEAD', headers: { authorization: `Bearer ${ticket.token}` } })
    expect([head.status, head.headers.get('allow')]).toEqual([405, 'GET'])
  })
})

describe('a stream stays open', () => {
  test('with heartbeats while the database is away, and goes on without loss', async () => {
    const scene = await set()
    const line = await lineTo(scene.bellhop.endpoint)
    cleanUps.push(() => line.stop())
    const beside = await startBellhop({
      beside: { ...scene.bellhop, endpoint: line.endpoint },
      roles: { api: true, worker: false },
      streamTimes: { ...OFTEN, heartbeat: 50 },
    })
    cleanUps.push(() => beside.stop())
    const ticket = await scene.open()
    const listener = await scene.listen(ticket, {}, beside)
    await scene.speak(ticket)
    await listener.heard(1)
    await line.cut()
    const before = listener.text().length
    await scene.speak(ticket)
    await until(() => listener.text().slice(before).startsWith(':\n\n:\n\n:\n\n'))
    expect((await scene.listen(ticket, {}, beside)).status).toBe(503)
    await line.mend()
    await listener.heard(2)
    // The outage is told once.
    expect(beside.logged().match(/events_unread/g)?.length).toBe(1)
  })
})

function streamRequest({ id, token }: OpenedTicket): string {
  return `GET /v1/support/tickets/${id}/events HTTP/1.1\r\nhost: bellhop\r\nauthorization: Bearer ${token}\r\n\r\n`
}
