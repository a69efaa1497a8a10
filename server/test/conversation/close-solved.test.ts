import { afterEach, beforeEach, expect, test } from 'vitest'
import { CLOSED_AT_ONCE, closeSolved } from '../../src/conversation/close-solved.ts'
import { say } from '../../src/conversation/say.ts'
import { deliveriesOf, entriesOf, type Opened, type Scene, said, setScene, ticketOf } from './scene.ts'

const DAY = 24 * 60 * 60 * 1000

let scene: Scene
beforeEach(async () => {
  scene = await setScene()
})
afterEach(() => scene.stop())

const close = () => closeSolved(scene.sql, scene.deps, 14 * DAY)

async function solvedFor(brandId: string, days: number): Promise<Opened> {
  const opened = await scene.open(brandId, { status: 'solved' })
  await scene.sql`UPDATE tickets SET solved_at = now() - ${`${days} days`}::text::interval WHERE id = ${opened.ticketId}`
  return opened
}

test('what has been solved for two weeks is closed, with an entry, and a webhook desk hears it', async () => {
  const old = await solvedFor('hook', 15)
  const plain = await solvedFor('inbox', 15)
  const recent = await solvedFor('hook', 13)
  const open = await scene.open('hook')
  const before = await ticketOf(scene.sql, old)
  expect(await close()).toBe(2)
  const after = await ticketOf(scene.sql, old)
  expect(after).toMatchObject({ status: 'closed', solved: true })
  expect(after.updated_at > before.updated_at).toBe(true)
  expect(await entriesOf(scene.sql, old)).toEqual(['system ticket.status closed'])
  expect(await deliveriesOf(scene.sql, old)).toEqual(['desk status closed'])
  expect([(await ticketOf(scene.sql, plain)).status, await deliveriesOf(scene.sql, plain)]).toEqual([
    'closed',
    [],
  ])
  expect([(await ticketOf(scene.sql, recent)).status, (await ticketOf(scene.sql, open)).status]).toEqual([
    'solved',
    'open',
  ])
  expect(await close()).toBe(0)
  await expect(scene.sql.begin((tx) => say(tx, scene.deps, said(old)))).rejects.toMatchObject({
    code: 'ticket_closed',
  })
})

test('two processes that close at once close each ticket once, however many there are', async () => {
  const [{ ticketId } = { ticketId: '' }] = [await solvedFor('hook', 15)]
  await scene.sql`
    WITH ticket AS (
      INSERT INTO tickets (brand_id, id, issuer, person_id, requester_email, subject, status, solved_at)
      SELECT brand_id, gen_random_uuid(), issuer, person_id, requester_email, subject, status, solved_at
      FROM tickets, generate_series(1, ${CLOSED_AT_ONCE + 200}) WHERE id = ${ticketId} RETURNING brand_id, id
    )
    INSERT INTO messages (brand_id, id, ticket_id, author, body)
    SELECT brand_id, gen_random_uuid(), id, 'customer', 'It does not work.' FROM ticket`
  const counts = await Promise.all([close(), close()])
  const rest = await close()
  expect(counts.reduce((sum, count) => sum + count, rest)).toBe(CLOSED_AT_ONCE + 201)
  const [row] = await scene.sql`
    SELECT (SELECT count(*)::int FROM tickets WHERE status = 'closed') AS closed,
      (SELECT count(*)::int FROM audit_entries) AS entries,
      (SELECT count(DISTINCT ticket_id)::int FROM audit_entries) AS tickets,
      (SELECT count(*)::int FROM deliveries) AS deliveries`
  const all = CLOSED_AT_ONCE + 201
  expect(row).toEqual({ closed: all, entries: all, tickets: all, deliveries: all })
})

test('a ticket on which somebody speaks at the moment is left, and is open afterwards', async () => {
  const opened = await solvedFor('inbox', 15)
  await scene.sql.begin(async (tx) => {
    await say(tx, scene.deps, said(opened))
    expect(await close()).toBe(0)
  })
  expect(await close()).toBe(0)
  expect((await ticketOf(scene.sql, opened)).status).toBe('open')
})
