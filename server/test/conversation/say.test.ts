import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { say } from '../../src/conversation/say.ts'
import { setStatus } from '../../src/conversation/status.ts'
import { newUuid, toId } from '../../src/ids.ts'
import { until } from '../database/embedded/processes.ts'
import {
  answer,
  deliveriesOf,
  entriesOf,
  note,
  type Opened,
  type Scene,
  said,
  setScene,
  ticketOf,
} from './scene.ts'

let scene: Scene
beforeAll(async () => {
  scene = await setScene()
})
afterAll(() => scene.stop())

const speak = (what: Parameters<typeof say>[2]) => scene.sql.begin((tx) => say(tx, scene.deps, what))
const change = (opened: Opened, status: 'open' | 'pending' | 'solved', actor: 'person' | 'desk' = 'person') =>
  scene.sql.begin((tx) => setStatus(tx, scene.deps, { ...opened, status, actor, actorId: null }))

describe('what a customer says', () => {
  test('is on the ticket, with its files, and goes to the desk', async () => {
    const opened = await scene.open('through')
    const sha256 = Buffer.alloc(32, 7)
    const file = { attachmentId: newUuid(), filename: 'a.csv', declaredType: 'text/csv', detectedType: null }
    const attachments = [
      { ...file, sha256, size: 3 },
      { ...file, attachmentId: newUuid(), filename: 'again.csv', sha256, size: 3 },
    ]
    const what = said(opened, { attachments })
    const before = await ticketOf(scene.sql, opened)
    const { status, deliveryIds } = await speak(what)
    expect([status, deliveryIds.length]).toEqual(['open', 1])
    const [delivery] = await scene.sql`
      SELECT id, state, connector, mail_message_id FROM deliveries WHERE message_id = ${what.messageId}`
    expect(delivery).toEqual({
      id: deliveryIds[0],
      state: 'pending',
      connector: 'smtp',
      mail_message_id: `<${toId('msg', what.messageId)}@acme.example>`,
    })
    const files = await scene.sql`
      SELECT filename, declared_type FROM attachments WHERE message_id = ${what.messageId} ORDER BY filename`
    expect(files.map((row) => row.filename)).toEqual(['a.csv', 'again.csv'])
    expect(await entriesOf(scene.sql, opened)).toEqual(['person message.created'])
    expect((await ticketOf(scene.sql, opened)).updated_at > before.updated_at).toBe(true)
  })

  test('stands in the inbox at COMMIT', async () => {
    const opened = await scene.open('inbox')
    const what = said(opened)
    await speak(what)
    const [delivery] = await scene.sql`
      SELECT state, finished_at IS NOT NULL AS finished FROM deliveries WHERE message_id = ${what.messageId}`
    expect(delivery).toEqual({ state: 'delivered', finished: true })
  })

  test.each(['solved', 'pending'])('opens a ticket again that is %s', async (status) => {
    for (const author of ['customer', 'participant'] as const) {
      const opened = await scene.open('hook', { status })
      expect((await speak(said(opened, { author }))).status).toBe('open')
      expect(await ticketOf(scene.sql, opened)).toMatchObject({ status: 'open', solved: false })
      expect(await entriesOf(scene.sql, opened)).toEqual([
        'person message.created',
        'person ticket.status open',
      ])
      expect(await deliveriesOf(scene.sql, opened)).toEqual(['desk message', 'desk status open'])
    }
  })

  test('is refused on a closed ticket, and on none', async () => {
    const opened = await scene.open('inbox', { status: 'closed' })
    await expect(speak(said(opened))).rejects.toMatchObject({ code: 'ticket_closed' })
    await expect(speak(said({ ...opened, ticketId: newUuid() }))).rejects.toMatchObject({ code: 'not_found' })
    // Another brand's ticket is none of this brand's.
    await expect(speak(said({ ...opened, brandId: 'hook' }))).rejects.toMatchObject({ code: 'not_found' })
    expect(await entriesOf(scene.sql, opened)).toEqual([])
  })
})

describe('what an agent says', () => {
  test('goes to the requester and the participants, each with a Message-ID of its own', async () => {
    const opened = await scene.open('hook', { email: 'ada@EXAMPLE.com' })
    await scene.sql`
      INSERT INTO participants (brand_id, ticket_id, address)
      VALUES ('hook', ${opened.ticketId}, 'bob@example.com'), ('hook', ${opened.ticketId}, 'carol@example.com')`
    await scene.sql`
      INSERT INTO bounced_addresses (brand_id, address, code) VALUES ('hook', 'carol@example.com', '5.1.1')`
    const what = answer(opened, { status: 'pending' })
    expect((await speak(what)).status).toBe('pending')
    expect(await deliveriesOf(scene.sql, opened)).toEqual([
      'customer message ada@example.com',
      'customer message bob@example.com',
      // It is refused before it is attempted, and seen.
      'customer message carol@example.com',
    ])
    const rows = await scene.sql<{ id: string; connector: string; mail_message_id: string }[]>`
      SELECT id, connector, mail_message_id FROM deliveries WHERE message_id = ${what.messageId}`
    for (const { id, connector, mail_message_id } of rows) {
      expect([connector, mail_message_id]).toEqual(['mail', `<${toId('dlv', id)}@acme.example>`])
    }
    // The desk did it itself.
    expect(await entriesOf(scene.sql, opened)).toEqual(['desk message.created', 'desk ticket.status pending'])
  })

  test('leaves the status as it is, unless told', async () => {
    const opened = await scene.open('hook', { status: 'solved' })
    expect((await speak(answer(opened))).status).toBe('solved')
    expect(await ticketOf(scene.sql, opened)).toMatchObject({ status: 'solved', solved: true })
  })
})

test('two who speak at once do so one after the other, and the later one is later', async () => {
  const opened = await scene.open('inbox', { status: 'solved' })
  const { promise: held, resolve: release } = Promise.withResolvers<void>()
  const { promise: spoken, resolve: hasSpoken } = Promise.withResolvers<void>()
  // Both begin their transactions before either speaks.
  const late = scene.sql.begin(async (tx) => {
    await tx`SELECT now()`
    await spoken
    return say(tx, scene.deps, said(opened, { body: 'second' }))
  })
  const early = scene.sql.begin(async (tx) => {
    const result = await say(tx, scene.deps, said(opened, { body: 'first' }))
    hasSpoken()
    await held
    return result
  })
  await spoken
  await until(async () => {
    const [waiting] = await scene.sql`
      SELECT count(*)::int AS count FROM pg_stat_activity
      WHERE datname = current_database() AND wait_event_type = 'Lock'`
    return waiting?.count === 1
  })
  const between = await ticketOf(scene.sql, opened)
  expect(between.status).toBe('solved')
  release()
  const [first, second] = await Promise.all([early, late])
  expect(second.createdAt.getTime()).toBeGreaterThanOrEqual(first.createdAt.getTime())
  const bodies = await scene.sql`
    SELECT body FROM messages WHERE ticket_id = ${opened.ticketId} ORDER BY created_at OFFSET 1`
  expect(bodies.map(({ body }) => body)).toEqual(['first', 'second'])
  // Only the first of them opened it.
  expect((await entriesOf(scene.sql, opened)).filter((line) => line.includes('ticket.status'))).toHaveLength(
    1,
  )
})

test('a transaction that is rolled back has said nothing', async () => {
  const opened = await scene.open('hook')
  const before = await ticketOf(scene.sql, opened)
  const undone = scene.sql.begin(async (tx) => {
    await say(tx, scene.deps, answer(opened, { status: 'solved' }))
    throw new Error('never mind')
  })
  await expect(undone).rejects.toThrow('never mind')
  expect(await ticketOf(scene.sql, opened)).toEqual(before)
  expect([await entriesOf(scene.sql, opened), await deliveriesOf(scene.sql, opened)]).toEqual([[], []])
})

describe('a status', () => {
  test('is changed once, with an entry, and a webhook desk is told', async () => {
    const opened = await scene.open('hook')
    expect(await change(opened, 'solved')).toBe('solved')
    const after = await ticketOf(scene.sql, opened)
    expect(after).toMatchObject({ status: 'solved', solved: true })
    expect(await change(opened, 'solved')).toBe('solved')
    expect(await ticketOf(scene.sql, opened)).toEqual(after)
    expect(await change(opened, 'open', 'desk')).toBe('open')
    expect(await ticketOf(scene.sql, opened)).toMatchObject({ status: 'open', solved: false })
    expect(await entriesOf(scene.sql, opened)).toEqual([
      'person ticket.status solved',
      'desk ticket.status open',
    ])
    expect(await deliveriesOf(scene.sql, opened)).toEqual(['desk status solved'])
  })

  test('beside a note is an entry of its own, and all of it that a customer sees', async () => {
    const opened = await scene.open('hook')
    await speak(note(opened, { status: 'solved', actor: 'operator', actorId: 'root' }))
    expect(await entriesOf(scene.sql, opened)).toEqual([
      'operator root message.noted',
      'operator root ticket.status solved',
    ])
    const [entry] = await scene.sql`
      SELECT message_id FROM audit_entries WHERE ticket_id = ${opened.ticketId} AND action = 'ticket.status'`
    expect(entry).toEqual({ message_id: null })
    const [delivery] = await scene.sql`
      SELECT message_id FROM deliveries WHERE brand_id = 'hook' AND message_id = ${opened.messageId} AND kind = 'status'`
    expect(delivery).toEqual({ message_id: opened.messageId })
  })

  test('of a closed ticket stays', async () => {
    const opened = await scene.open('hook', { status: 'closed' })
    await expect(change(opened, 'open')).rejects.toMatchObject({ code: 'ticket_closed' })
  })
})
