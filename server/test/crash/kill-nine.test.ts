import { setTimeout as pause } from 'node:timers/promises'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { until } from '../database/embedded/processes.ts'
import { messageIds } from '../deliveries/mail-desk.ts'
import { type CrashScene, setCrashScene, type Victim } from './crash-scene.ts'

const KILLS = 20
/** It goes on until a caller has met what was kept for it and not answered; that takes luck. */
const MOST_KILLS = 60
const CALLERS = 12

let scene: CrashScene
beforeAll(async () => {
  scene = await setCrashScene()
})
afterAll(() => scene.stop())

type Receipt = { ticket_id: string; message_id: string }

test('kill -9 at any moment loses no acknowledged ticket and files none twice', {
  timeout: 300_000,
}, async () => {
  const asked = new Set<string>()
  const receipts = new Map<string, Receipt>()
  let replays = 0
  const file = async (victim: Victim, key: string): Promise<boolean> => {
    asked.add(key)
    const answer = await victim.file(key)
    if (answer === null) return false
    expect([201, 503]).toContain(answer.status)
    if (answer.status !== 201) return true
    const receipt = answer.body as Receipt
    if (answer.replayed) replays++
    const earlier = receipts.get(key)
    if (earlier)
      expect(receipt).toMatchObject({ ticket_id: earlier.ticket_id, message_id: earlier.message_id })
    receipts.set(key, receipt)
    return true
  }
  const unanswered = () => [...asked].filter((key) => !receipts.has(key))

  for (let kill = 0; kill < KILLS || (replays === 0 && kill < MOST_KILLS); kill++) {
    const victim = await scene.start()
    // Each caller first asks again for what it got no answer to, then for something new, until nobody is there.
    const again = unanswered()
    const callers = Array.from({ length: CALLERS }, async (_, caller) => {
      for (let number = 0; ; number++) {
        if (!(await file(victim, again.pop() ?? `kill-${kill}-caller-${caller}-${number}`))) return
      }
    })
    await pause(20 + Math.random() * 300)
    victim.kill()
    expect(await victim.died).toBe('SIGKILL')
    await Promise.all(callers)
  }
  const left = unanswered()
  expect(left.length).toBeGreaterThan(0)

  const last = await scene.start()
  await Promise.all(left.map((key) => file(last, key)))
  expect(unanswered()).toEqual([])
  expect(replays).toBeGreaterThan(0)
  const [kept] = await scene.sql<Record<string, number>[]>`
    SELECT (SELECT count(*)::int FROM tickets) AS tickets, (SELECT count(*)::int FROM messages) AS messages,
      (SELECT count(*)::int FROM deliveries) AS deliveries, (SELECT count(*)::int FROM idempotency_keys) AS keys,
      (SELECT count(*)::int FROM audit_entries WHERE action = 'ticket.created') AS entries`
  const { size } = asked
  expect(kept).toEqual({ tickets: size, messages: size, deliveries: size, keys: size, entries: size })
  const rows = await scene.sql<Receipt[]>`
    SELECT 'tkt_' || replace(ticket_id::text, '-', '') AS ticket_id,
      'msg_' || replace(id::text, '-', '') AS message_id FROM messages`
  const pairs = (all: Iterable<Receipt>) => [...all].map((one) => `${one.ticket_id} ${one.message_id}`).sort()
  expect(pairs(rows)).toEqual(pairs(receipts.values()))

  // The leases of the dead run out.
  await scene.sql`UPDATE deliveries SET due_at = now() WHERE state IN ('pending', 'leased')`
  await until(async () => {
    const [row] = await scene.sql`SELECT count(*)::int AS count FROM deliveries WHERE state <> 'delivered'`
    return row?.count === 0
  })
  const arrived = messageIds(scene.desk.mails)
  expect(new Set(arrived)).toEqual(new Set(rows.map((row) => `<${row.message_id}@acme.example>`)))
  // A double is the same mail, so that the mailbox can tell.
  expect(new Set(scene.desk.mails).size).toBe(size)
})
