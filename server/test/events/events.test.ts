import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { releaseHeld } from '../../src/conversation/release-held.ts'
import { fromEventId, toEventId } from '../../src/events/event-id.ts'
import { toId } from '../../src/ids.ts'
import { readOrMakeSecret, signToken } from '../../src/secrets.ts'
import { brandOf, startBellhop } from '../bellhop.ts'
import { startMailDesk } from '../deliveries/mail-desk.ts'
import { type EventScene, holdOpen, setEventScene } from './event-scene.ts'
import { listen, until } from './listener.ts'

let scene: EventScene
beforeAll(async () => {
  scene = await setEventScene()
})
afterEach(() => scene.hangUp())
afterAll(() => scene.stop())

const idsOf = (events: { data: Record<string, unknown> }[]) => events.map(({ data }) => data.message_id)
const as = ({ token }: { token: string }) => ({ headers: { authorization: `Bearer ${token}` } })
const msg = (uuid: string) => toId('msg', uuid)

/** When the feed has looked so often from now on, as the sessions of the database tell. */
async function looks(count: number): Promise<void> {
  const [begun] = await scene.bellhop.sql<{ now: string }[]>`SELECT clock_timestamp()::text AS now`
  const seen = new Set<string>()
  await until(async () => {
    const rows = await scene.bellhop.sql<{ at: string }[]>`
      SELECT query_start::text AS at FROM pg_stat_activity
      WHERE datname = current_database() AND application_name = 'bellhop start' AND state = 'idle'
        AND query LIKE '%entry AS MATERIALIZED%' AND query_start > ${begun?.now ?? ''}::timestamptz`
    for (const { at } of rows) seen.add(at)
    return seen.size >= count
  })
}

/** When whatever was committed before has been heard by all who listen. */
async function allHeard(): Promise<void> {
  const mark = await scene.open()
  const listener = await scene.listen(mark)
  for (let count = 1; count <= 2; count++) {
    await scene.speak(mark)
    await listener.heard(count)
  }
  listener.hangUp()
}

describe('a customer listens', () => {
  test('and hears an answer, its receipts and what becomes of the ticket', async () => {
    const ticket = await scene.open()
    const listener = await scene.listen(ticket)
    expect(listener.status).toBe(200)
    expect(listener.headers).toMatchObject({
      'content-type': 'text/event-stream; charset=utf-8',
      'cache-control': 'no-store',
      'x-accel-buffering': 'no',
      'x-content-type-options': 'nosniff',
      'x-request-id': expect.stringMatching(/^[0-9a-f]{32}$/),
    })
    const said = await scene.speak(ticket)
    await listener.heard(1)
    await scene.set(ticket, 'solved')
    const events = await listener.heard(2)
    expect(events).toEqual([
      {
        id: expect.any(String),
        event: 'message.created',
        data: {
          type: 'message.created',
          ticket_id: ticket.id,
          message_id: msg(said),
          created_at: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/),
        },
      },
      {
        id: expect.any(String),
        event: 'ticket.updated',
        data: {
          type: 'ticket.updated',
          ticket_id: ticket.id,
          status: 'solved',
          updated_at: expect.any(String),
        },
      },
    ])
    expect(listener.text()).toMatch(/^retry: 2000\nid: \S+\n\n/)
    const read = await scene.bellhop.ask(`/v1/support/tickets/${ticket.id}`, as(ticket))
    expect(events[1]?.data.updated_at).toBe(read.body.updated_at)
  })

  test('and hears nothing of other tickets', async () => {
    const [own, other] = [await scene.open(), await scene.open()]
    const listener = await scene.listen(own)
    await scene.speak(other)
    const said = await scene.speak(own)
    expect(idsOf(await listener.heard(1))).toEqual([msg(said)])
  })

  test('twice, in two windows, and each hears it', async () => {
    const ticket = await scene.open()
    const windows = [await scene.listen(ticket), await scene.listen(ticket)]
    const said = await scene.speak(ticket)
    for (const listener of windows) expect(idsOf(await listener.heard(1))).toEqual([msg(said)])
    expect(windows[0]?.events()).toEqual(windows[1]?.events())
  })
})

describe('what is not for the customer', () => {
  test('makes no event, and no other trace in the stream', async () => {
    const ticket = await scene.open()
    const listener = await scene.listen(ticket)
    const before = listener.text()
    const noted = await scene.speak(ticket, { author: 'note', body: 'canary' })
    const held = await scene.speak(ticket, { heldFor: 'uncertain_text', body: 'canary' })
    await scene.speak(ticket, { automatic: true, author: 'customer', body: 'canary' })
    // Whatever else may be written of them: what decides is what they are.
    await scene.bellhop.sql`
      WITH hidden AS (SELECT id FROM messages WHERE id IN (${noted}, ${held})),
      delivery AS (
        INSERT INTO deliveries (brand_id, id, message_id, connector, state, finished_at)
        SELECT 'acme', uuidv7(), id, 'inbox', 'delivered', now() FROM hidden RETURNING id, message_id
      )
      INSERT INTO audit_entries (brand_id, id, actor, action, ticket_id, message_id, delivery_id)
      SELECT 'acme', uuidv7(), 'system', 'delivery.delivered', ${ticket.ticketId}::uuid, message_id, id FROM delivery
      UNION ALL SELECT 'acme', uuidv7(), 'desk', 'message.created', ${ticket.ticketId}::uuid, id, NULL FROM hidden
      UNION ALL SELECT 'acme', uuidv7(), 'operator', 'participant.added', ${ticket.ticketId}::uuid, NULL, NULL`
    await allHeard()
    expect(listener.text()).toBe(before)

    const resumed = await scene.listen(ticket, { 'last-event-id': listener.lastId() ?? '' })
    await allHeard()
    expect(resumed.text()).toBe('retry: 2000\n\n')

    await scene.bellhop.sql.begin((tx) =>
      releaseHeld(tx, scene.deps, { brandId: 'acme', messageId: held, actor: 'operator', actorId: 'grace' }),
    )
    const released = await listener.heard(1)
    expect(released.map(({ event }) => event)).toEqual(['message.created'])
    expect(idsOf(released)).toEqual([msg(held)])
    expect(idsOf(await resumed.heard(1))).toEqual([msg(held)])
  })
})

describe('a transaction that stays open', () => {
  test('while another one commits keeps its place: both are heard, in their order', async () => {
    const ticket = await scene.open()
    const other = await scene.open()
    const listener = await scene.listen(ticket)
    const onOther = await scene.listen(other)
    let early = ''
    const held = await holdOpen(scene.bellhop.sql, async (tx) => {
      early = await scene.speakIn(tx, ticket)
    })
    const late = await scene.speak(other)
    await looks(3)
    expect([listener.events(), onOther.events()]).toEqual([[], []])
    await held.commit()
    expect(idsOf(await listener.heard(1))).toEqual([msg(early)])
    expect(idsOf(await onOther.heard(1))).toEqual([msg(late)])
  })

  test('on the same ticket: the entry that was begun first comes first, and both come once', async () => {
    const ticket = await scene.open()
    const listener = await scene.listen(ticket)
    const entry = (tx: Parameters<typeof scene.speakIn>[0], status: string) => tx`
      INSERT INTO audit_entries (brand_id, id, actor, action, ticket_id, status)
      VALUES ('acme', uuidv7(), 'desk', 'ticket.status', ${ticket.ticketId}, ${status})`
    const held = await holdOpen(scene.bellhop.sql, (tx) => entry(tx, 'pending'))
    await entry(scene.bellhop.sql, 'solved')
    await looks(3)
    expect(listener.events()).toEqual([])
    await held.commit()
    const statuses = (await listener.heard(2)).map(({ data }) => data.status)
    expect(statuses).toEqual(['pending', 'solved'])
    const resumed = await scene.listen(ticket, { 'last-event-id': listener.events()[0]?.id ?? '' })
    expect((await resumed.heard(1)).map(({ data }) => data.status)).toEqual(['solved'])
  })
})

describe('a client that comes back', () => {
  test('hears what it has missed, once and in order, however often it comes while more is said', async () => {
    const ticket = await scene.open()
    const said: string[] = []
    const heard: unknown[] = []
    const first = await scene.listen(ticket)
    let lastId = first.lastId() ?? ''
    first.hangUp()
    const talk = (async () => {
      for (let index = 0; index < 60; index++) said.push(await scene.speak(ticket))
    })()
    while (heard.length < 60) {
      const listener = await scene.listen(ticket, { 'last-event-id': lastId })
      await listener.heard(1)
      listener.hangUp()
      heard.push(...idsOf(listener.events()))
      lastId = listener.lastId() ?? lastId
      // Until the server has noticed: one person has five at once.
      await until(async () => (await scene.openStreams()) < 3)
    }
    await talk
    expect(heard).toEqual(said.map(msg))
  })

  test('after a long time hears all of it, page by page', async () => {
    const ticket = await scene.open()
    const first = await scene.listen(ticket)
    const lastId = first.lastId() ?? ''
    first.hangUp()
    await scene.bellhop.sql`
      INSERT INTO audit_entries (brand_id, id, actor, action, ticket_id, status)
      SELECT 'acme', uuidv7(), 'desk', 'ticket.status', ${ticket.ticketId}, 'open' FROM generate_series(1, 1000)`
    const resumed = await scene.listen(ticket, { 'last-event-id': lastId })
    const events = await resumed.heard(1000)
    expect(events.length).toBe(1000)
    expect(new Set(events.map(({ id }) => id)).size).toBe(1000)
  })

  test('to another process, which goes on from the same place', async () => {
    const ticket = await scene.open()
    const listener = await scene.listen(ticket)
    const first = await scene.speak(ticket)
    await listener.heard(1)
    const beside = await startBellhop({
      beside: scene.bellhop,
      streamTimes: { look: 20, turn: 10 },
    })
    try {
      const there = await scene.listen(ticket, { 'last-event-id': listener.lastId() ?? '' }, beside)
      const second = await scene.speak(ticket)
      expect(idsOf(await there.heard(1))).toEqual([msg(second)])
      expect(idsOf(await listener.heard(2))).toEqual([msg(first), msg(second)])
    } finally {
      await beside.stop()
    }
  })

  test('with an id that is of another ticket, or that it made up, is told so', async () => {
    const [ticket, other] = [await scene.open(), await scene.open()]
    const listener = await scene.listen(other)
    const forged = signToken(Buffer.alloc(32), JSON.stringify(['event', 'acme', ticket.ticketId]), '1.2.3')
    for (const id of [listener.lastId() ?? '', forged, '1', '(9,9)']) {
      const answer = await scene.bellhop.ask(`/v1/support/tickets/${ticket.id}/events`, {
        headers: { 'last-event-id': id, ...as(ticket).headers },
      })
      expect([answer.status, answer.body]).toEqual([
        400,
        { error: 'validation_error', message: expect.stringContaining('Last-Event-ID') },
      ])
    }
  })
})

describe('a message that is carried to the desk', () => {
  test('is told of again once the desk has it, with the status that the ticket shows', async () => {
    const mailDesk = await startMailDesk()
    const own = await setEventScene({
      brands: (issuer) => [brandOf('acme', issuer, { desk: mailDesk.desk, wait: 0 })],
    })
    try {
      const release = mailDesk.hold()
      const token = await own.bellhop.issuer.token()
      const filed = await own.bellhop.file({}, { authorization: `Bearer ${token}` })
      const id = String(filed.body.ticket_id)
      const listener = await listen(own.bellhop.url, id, { authorization: `Bearer ${token}` })
      expect([filed.body.status, listener.events()]).toEqual(['requested', []])
      release()
      const [event] = await listener.heard(1)
      expect(event?.data).toEqual({
        type: 'message.updated',
        ticket_id: id,
        message_id: filed.body.message_id,
        status: 'sent',
      })
      listener.hangUp()
    } finally {
      await own.stop()
      await mailDesk.close()
    }
  })
})

describe('an id that means nothing any more', () => {
  test.each<[string, (xid: bigint, database: string) => [bigint, string]]>([
    ['since it is of another database', (xid) => [xid, '1']],
    ['since it is of a later state than this one', (xid, database) => [xid + 1_000_000n, database]],
  ])('%s, begins with a reset, and goes on from there', async (_why, change) => {
    const ticket = await scene.open()
    const of = { brandId: 'acme', ticketId: ticket.ticketId }
    const secret = await readOrMakeSecret(scene.bellhop.dataDir, 'signing-secret')
    const first = await scene.listen(ticket)
    const known = fromEventId(secret, of, first.lastId() ?? '')
    if (known === null) throw new Error('no id')
    await scene.speak(ticket)
    const [xid, database] = change(known.xid, known.database)
    const eventId = toEventId(secret, of, { ...known, xid, database })
    const listener = await scene.listen(ticket, { 'last-event-id': eventId })
    const [reset] = await listener.heard(1)
    expect(reset).toEqual({
      id: expect.any(String),
      event: 'reset',
      data: { type: 'reset', ticket_id: ticket.id },
    })
    const said = await scene.speak(ticket)
    await until(() => idsOf(listener.events()).includes(msg(said)))
  })
})
