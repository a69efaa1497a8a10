import { afterAll, beforeAll, expect, test } from 'vitest'
import type { Answer } from '../bellhop.ts'
import { type FollowUpScene, file, refusal, setFollowUpScene } from './follow-up-scene.ts'

let scene: FollowUpScene
beforeAll(async () => {
  scene = await setFollowUpScene()
})
afterAll(() => scene.stop())

/** From here on nothing that is said is committed, until the returned function is called. */
async function hold(): Promise<() => Promise<void>> {
  await scene.bellhop.sql`
    CREATE FUNCTION hold_on() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
      WHILE NOT pg_try_advisory_xact_lock_shared(42) LOOP PERFORM pg_sleep(0.01); END LOOP;
      RETURN NULL;
    END $$`
  await scene.bellhop
    .sql`CREATE TRIGGER hold_on AFTER INSERT ON audit_entries FOR EACH ROW EXECUTE FUNCTION hold_on()`
  const held = Promise.withResolvers<void>()
  const released = Promise.withResolvers<void>()
  const whole = scene.bellhop.sql.begin(async (sql) => {
    await sql`SELECT pg_advisory_xact_lock(42)`
    held.resolve()
    await released.promise
  })
  await held.promise
  return async () => {
    released.resolve()
    await whole
    await scene.bellhop.sql`DROP FUNCTION hold_on CASCADE`
  }
}
const sleeping = async () => {
  const rows = await scene.bellhop.sql`
    SELECT FROM pg_stat_activity
    WHERE datname = current_database() AND state = 'active' AND wait_event = 'PgSleep'`
  return rows.length
}

let made = 0
const key = () => ({ 'idempotency-key': `said-${++made}` })
const replayed = ({ headers }: Answer) => headers.get('idempotency-replayed')

test('the same key and body say it once, in any process, also when the ticket is closed by then', async () => {
  const ticket = await scene.open()
  const once = key()
  const first = await scene.say(ticket, undefined, once)
  expect([first.status, replayed(first)]).toEqual([201, null])
  await scene.speaking.setStatus(ticket, 'closed')
  for (const at of [scene.bellhop, scene.beside]) {
    const again = await scene.say(ticket, undefined, once, at)
    expect([again.status, again.body, replayed(again)]).toEqual([201, first.body, 'true'])
  }
  expect(await scene.messagesOf(ticket)).toHaveLength(2)
})

test('twenty at once, in two processes, say it once', async () => {
  const ticket = await scene.open()
  const once = key()
  const attachments = [file('a')]
  const answers = await Promise.all(
    Array.from({ length: 20 }, (_, index) =>
      scene.say(ticket, { body: 'At once.', attachments }, once, index % 2 ? scene.beside : scene.bellhop),
    ),
  )
  expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([201]))
  expect(new Set(answers.map(({ body }) => body.message_id)).size).toBe(1)
  expect(answers.filter((answer) => replayed(answer) === null)).toHaveLength(1)
  expect(await scene.messagesOf(ticket)).toHaveLength(2)
})

test('another body, another ticket or another call is a mismatch', async () => {
  const ticket = await scene.open()
  const once = key()
  expect((await scene.say(ticket, { body: 'a' }, once)).status).toBe(201)
  const mismatch = [422, 'idempotency_mismatch']
  expect(refusal(await scene.say(ticket, { body: 'b' }, once))).toEqual(mismatch)
  expect(refusal(await scene.say(ticket, { body: 'a', attachments: [file('a')] }, once))).toEqual(mismatch)
  expect(refusal(await scene.say(await scene.open(), { body: 'a' }, once))).toEqual(mismatch)
  expect(refusal(await scene.bellhop.file({}, once))).toEqual(mismatch)
  const filed = key()
  const { body } = await scene.bellhop.file({}, filed)
  expect(refusal(await scene.say(String(body.ticket_id), undefined, filed))).toEqual(mismatch)
  expect(await scene.messagesOf(ticket)).toHaveLength(2)
})

test('a refusal holds no key', async () => {
  const ticket = await scene.open()
  const once = key()
  await scene.speaking.setStatus(ticket, 'closed')
  expect(refusal(await scene.say(ticket, undefined, once))).toEqual([409, 'ticket_closed'])
  expect((await scene.say(await scene.open(), undefined, once)).status).toBe(201)
})

test('while another process is still at it, for two seconds and no longer', async () => {
  const ticket = await scene.open()
  const once = key()
  const release = await hold()
  const first = scene.say(ticket, undefined, once)
  await expect.poll(sleeping).toBe(1)
  const second = await scene.say(ticket, undefined, once, scene.beside)
  expect(refusal(second)).toEqual([409, 'idempotency_conflict'])
  expect(second.headers.get('retry-after')).toBe('1')
  expect(refusal(await scene.say(ticket, { body: 'other' }, once))).toEqual([422, 'idempotency_mismatch'])
  await release()
  expect((await first).status).toBe(201)
  const again = await scene.say(ticket, undefined, once, scene.beside)
  expect([again.body, replayed(again)]).toEqual([(await first).body, 'true'])
})
