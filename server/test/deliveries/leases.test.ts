import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { startBellhop, type TestBellhop, type TestBellhopOptions } from '../bellhop.ts'
import { until } from '../database/embedded/processes.ts'
import type { TestIssuer } from '../http/tokens/test-issuer.ts'
import { type MailDesk, mailBrand, messageIds, startMailDesk } from './mail-desk.ts'
import { attemptsOf, deliveryOf, endsOf, makeDue, stateOf } from './rows.ts'
import { queueTickets } from './waiting.ts'

const API = { api: true, worker: false }
const WORKER = { api: false, worker: true }
const PATIENT = 10_000

let desk: MailDesk
let stops: (() => Promise<void>)[]
beforeEach(async () => {
  desk = await startMailDesk()
  stops = [() => desk.close()]
})
afterEach(async () => {
  for (const stop of stops.reverse()) await stop()
})

async function start(options: TestBellhopOptions): Promise<TestBellhop> {
  const bellhop = await startBellhop(options)
  stops.push(() => bellhop.stop())
  return bellhop
}

const acme =
  (wait = 100, to = desk) =>
  (issuer: TestIssuer) => [mailBrand('acme', issuer, to, wait)]

test('two workers on one queue: each ticket is carried once, and none is left', async () => {
  const api = await start({ brands: acme(), roles: API })
  const waiting = await queueTickets(api.sql, 'acme', 300)
  await Promise.all([
    start({ beside: api, brands: acme(), roles: WORKER }),
    start({ beside: api, brands: acme(), roles: WORKER }),
  ])
  await until(async () => {
    const [left] = await api.sql`SELECT count(*)::int AS count FROM deliveries WHERE state <> 'delivered'`
    return left?.count === 0
  })
  expect(messageIds(desk.mails).sort()).toEqual(waiting.map((id) => `<${id}@acme.example>`).sort())
  const attempts = await api.sql<{ outcome: string; holders: number; count: number; most: number }[]>`
    SELECT outcome, count(*)::int AS count, count(DISTINCT locked_by)::int AS holders, max(number) AS most
    FROM attempts GROUP BY outcome`
  expect([...attempts]).toEqual([{ outcome: 'delivered', holders: 2, count: 300, most: 1 }])
})

describe('a holder that stalled', () => {
  test('cannot finish what another has taken over', async () => {
    const stalled = await start({ brands: acme(), roles: API })
    const release = desk.hold()
    const filed = await stalled.file()
    expect(filed.body.status).toBe('requested')
    expect(await stateOf(stalled.sql, filed)).toBe('leased')
    await makeDue(stalled.sql, filed)
    const secondDesk = await startMailDesk()
    stops.unshift(() => secondDesk.close())
    await start({ beside: stalled, brands: acme(100, secondDesk), roles: WORKER })
    await until(async () => (await stateOf(stalled.sql, filed)) === 'delivered')
    const taken = ['uncertain lease_expired', 'delivered smtp_250']
    expect(await endsOf(stalled.sql, filed)).toEqual(taken)
    const before = await deliveryOf(stalled.sql, filed)
    // It wakes up, with an answer that would be for good.
    desk.refuseMails.push(550)
    release()
    await until(() => stalled.logged().includes('"code":"smtp_550","state":null'))
    expect(stalled.logged()).not.toContain('attempt_not_written')
    expect(await endsOf(stalled.sql, filed)).toEqual(taken)
    expect(await deliveryOf(stalled.sql, filed)).toMatchObject({
      state: 'delivered',
      attempts: 2,
      finished_at: before.finished_at,
    })
    expect(messageIds([...desk.mails, ...secondDesk.mails])).toEqual(
      Array(2).fill(`<${filed.body.message_id}@acme.example>`),
    )
  })

  test('breaks its attempt off when it learns of it', async () => {
    const stalled = await start({ brands: acme(), roles: API, renewEvery: 50 })
    stops.push(async () => desk.hold()())
    desk.hold()
    const filed = await stalled.file()
    await stalled.sql`UPDATE deliveries SET locked_by = 'another', attempts = 2`
    await until(() => stalled.logged().includes('"outcome":"uncertain","code":"aborted","state":null'))
    expect(await attemptsOf(stalled.sql, filed)).toEqual([])
    expect(await deliveryOf(stalled.sql, filed)).toMatchObject({ state: 'leased', locked_by: 'another' })
  })
})

test('an attempt that takes long keeps its lease', async () => {
  const bellhop = await start({ brands: acme(), renewEvery: 50 })
  const release = desk.hold()
  const filed = await bellhop.file()
  await bellhop.sql`UPDATE deliveries SET due_at = now() + interval '2 seconds'`
  await until(async () => (await deliveryOf(bellhop.sql, filed)).due_in > 25)
  release()
  await until(async () => (await stateOf(bellhop.sql, filed)) === 'delivered')
  expect(await endsOf(bellhop.sql, filed)).toEqual(['delivered smtp_250'])
  expect(desk.mails).toHaveLength(1)
})

describe('one slow desk', () => {
  test('does not keep another brand waiting, neither in its request nor in its queue', async () => {
    const quick = await startMailDesk()
    stops.unshift(() => quick.close())
    const bellhop = await start({
      brands: (issuer) => [mailBrand('acme', issuer, desk, 50), mailBrand('globex', issuer, quick, PATIENT)],
    })
    const release = desk.hold()
    const slow = await Promise.all(Array.from({ length: 20 }, () => bellhop.file()))
    expect(slow.every(({ body }) => body.status === 'requested')).toBe(true)
    const queued = await queueTickets(bellhop.sql, 'globex', 30)
    const prompt = await Promise.all(Array.from({ length: 5 }, () => bellhop.file({ brand_id: 'globex' })))
    expect(prompt.map(({ body }) => body.status)).toEqual(Array(5).fill('sent'))
    await until(() => quick.mails.length === queued.length + prompt.length)
    // Five at once, and no more: the rest was never offered to it.
    expect(desk.mails).toHaveLength(5)
    release()
    await until(() => desk.mails.length === slow.length)
  })

  test('is waited for by a bounded number of requests; the next are told at once that it is requested', async () => {
    const bellhop = await start({ brands: acme(PATIENT) })
    const release = desk.hold()
    const answered: unknown[] = []
    const all = Array.from({ length: 65 }, async () => {
      const { body } = await bellhop.file()
      answered.push(body.status)
    })
    // Five at the desk and fifty in the queue.
    await until(() => answered.length >= 10 && desk.mails.length === 5)
    expect(answered).toEqual(Array(10).fill('requested'))
    release()
    await Promise.all(all)
    expect(answered.slice(10)).toEqual(Array(55).fill('sent'))
    await until(() => desk.mails.length === 65)
  })
})

test('with more brands than places, each has its turn', async () => {
  const ids = Array.from({ length: 30 }, (_, number) => `brand-${number}`)
  const brands = (issuer: TestIssuer) => ids.map((id) => mailBrand(id, issuer, desk))
  let release = desk.hold()
  const bellhop = await start({ brands, roles: API })
  await Promise.all(ids.map((id) => queueTickets(bellhop.sql, id, 10)))
  await start({ beside: bellhop, brands, roles: WORKER })
  stops.push(async () => release())
  const begun = async () => {
    const rows = await bellhop.sql<{ brand_id: string }[]>`
      SELECT DISTINCT brand_id FROM deliveries WHERE attempts > 0`
    return rows.length
  }
  await until(() => desk.mails.length === 100)
  expect(await begun()).toBe(20)
  release()
  release = desk.hold()
  // As many again: those who had nothing come first.
  await until(() => desk.mails.length === 200)
  expect(await begun()).toBe(30)
})

test('a lease that ran out under an attempt is not taken over by the process that makes it', async () => {
  const bellhop = await start({ brands: acme() })
  const release = desk.hold()
  stops.push(async () => release())
  const filed = await bellhop.file()
  await until(() => desk.mails.length === 1)
  await makeDue(bellhop.sql, filed)
  // The worker has looked since: it has brought what was due later.
  const [later] = await queueTickets(bellhop.sql, 'acme', 1)
  await until(() => messageIds(desk.mails).includes(`<${later}@acme.example>`))
  release()
  await until(async () => (await stateOf(bellhop.sql, filed)) === 'delivered')
  expect(await endsOf(bellhop.sql, filed)).toEqual(['delivered smtp_250'])
  expect(desk.mails).toHaveLength(2)
})

test('who is told to stop finishes what it has begun, and gives back what hangs', async () => {
  const hanging = await startMailDesk()
  stops.unshift(() => hanging.close())
  const brands = (issuer: TestIssuer) => [
    mailBrand('acme', issuer, desk, 0),
    mailBrand('globex', issuer, hanging, 0),
  ]
  const stays = await start({ brands, roles: API })
  const leaving = await startBellhop({ beside: stays, brands, roles: API, grace: 500 })
  const release = hanging.hold()
  stops.push(async () => release())
  const hangs = await leaving.file({ brand_id: 'globex' })
  await until(() => hanging.mails.length === 1)
  // The answer was given, and its attempt goes on behind it.
  const behind = await leaving.file()
  await leaving.stop()
  expect(await endsOf(stays.sql, behind)).toEqual(['delivered smtp_250'])
  expect(await endsOf(stays.sql, hangs)).toEqual(['uncertain aborted'])
  const { state, due_in } = await deliveryOf(stays.sql, hangs)
  expect(state).toBe('pending')
  expect(due_in).toBeLessThanOrEqual(1)
  expect(leaving.logged()).not.toContain('"level":50')
})
