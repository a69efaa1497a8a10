import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type Answer, brandOf, startBellhop, type TestBellhop, TICKET } from '../bellhop.ts'

const TICKETS = '/v1/support/tickets'
const brands: NonNullable<Parameters<typeof startBellhop>[0]>['brands'] = (issuer) => [
  brandOf('acme', issuer),
  brandOf('globex', issuer),
]

let bellhop: TestBellhop
let beside: TestBellhop
beforeAll(async () => {
  bellhop = await startBellhop({ brands })
  beside = await startBellhop({ brands, beside: bellhop })
  // Lets a test hold a ticket when all its rows are written and its COMMIT is not.
  await bellhop.sql`
    CREATE FUNCTION hold_on() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
      WHILE NOT pg_try_advisory_xact_lock_shared(42) LOOP PERFORM pg_sleep(0.01); END LOOP;
      RETURN NULL;
    END $$`
  await bellhop.sql`CREATE TRIGGER hold_on AFTER INSERT ON audit_entries FOR EACH ROW EXECUTE FUNCTION hold_on()`
})
afterAll(async () => {
  await beside.stop()
  await bellhop.stop()
})

/** From here on no ticket is committed, until the returned function is called. */
async function hold(): Promise<() => Promise<void>> {
  const held = Promise.withResolvers<void>()
  const released = Promise.withResolvers<void>()
  const whole = bellhop.sql.begin(async (sql) => {
    await sql`SELECT pg_advisory_xact_lock(42)`
    held.resolve()
    await released.promise
  })
  await held.promise
  return async () => {
    released.resolve()
    await whole
  }
}

/** How many of the database's sessions wait: for the held COMMIT (`Timeout`) or for each other (`Lock`). */
const waiting = async (type: 'Timeout' | 'Lock') => {
  const rows = await bellhop.sql`
    SELECT FROM pg_stat_activity WHERE datname = current_database() AND state = 'active'
      AND wait_event_type = ${type} AND pid <> pg_backend_pid()`
  return rows.length
}
const ticketCount = async (subject: string) =>
  (await bellhop.sql`SELECT FROM tickets WHERE subject = ${subject}`).length

let made = 0
const newKey = () => `key-${++made}`
const withKey = (key: string) => ({ 'idempotency-key': key })
const replayed = (answer: Answer) => answer.headers.get('idempotency-replayed')
const said = ({ status, body }: Answer) => [status, body.error]

describe('the same key and the same request', () => {
  test('answer with the same ticket, and say that it is a replay', async () => {
    const key = withKey(newKey())
    const first = await bellhop.file({ subject: 'Once' }, key)
    expect([first.status, replayed(first)]).toEqual([201, null])
    for (const desk of [bellhop, beside, bellhop]) {
      const again = await desk.file({ subject: 'Once' }, key)
      expect([again.status, again.body, replayed(again)]).toEqual([201, first.body, 'true'])
    }
    expect(await ticketCount('Once')).toBe(1)
  })

  test('also with fields in another order, unknown ones among them, and other escapes', async () => {
    const key = withKey(newKey())
    const attachment = { filename: 'ä.txt', content_base64: 'YQ==' }
    const first = await bellhop.file({ attachment }, key)
    const turned = JSON.stringify({
      attachment: { note: 1, content_base64: 'YQ==', filename: 'ä.txt' },
      ...Object.fromEntries(Object.entries(TICKET).reverse()),
      trace: Math.random(),
    }).replaceAll('ä', '\\u00e4')
    const again = await bellhop.ask(TICKETS, {
      method: 'POST',
      headers: { 'content-type': 'application/json', ...key },
      body: turned,
    })
    expect([again.status, again.body, replayed(again)]).toEqual([201, first.body, 'true'])
  })

  test('and without a key, every request is a ticket', async () => {
    const [one, two] = [await bellhop.file({ subject: 'Twice' }), await bellhop.file({ subject: 'Twice' })]
    expect(one.body.ticket_id).not.toBe(two.body.ticket_id)
    expect(await ticketCount('Twice')).toBe(2)
  })
})

test('a replay says where the ticket stands now', async () => {
  const apart = await startBellhop({
    brands: (issuer) => [
      brandOf('acme', issuer, {
        wait: 0,
        desk: { connector: 'webhook', url: 'http://127.0.0.1:9/', secret: `whsec_${btoa('x'.repeat(24))}` },
      }),
    ],
    roles: { api: true, worker: false },
  })
  const key = withKey(newKey())
  const first = await apart.file({}, key)
  expect([first.status, first.body.status]).toEqual([201, 'requested'])
  await expect.poll(() => apart.sql`SELECT state FROM deliveries`).toEqual([{ state: 'pending' }])
  expect((await apart.file({}, key)).body).toEqual(first.body)
  await apart.sql`UPDATE deliveries SET state = 'delivered', finished_at = now()`
  const sent = await apart.file({}, key)
  expect([sent.body, replayed(sent)]).toEqual([{ ...first.body, status: 'sent' }, 'true'])
  await apart.sql`UPDATE deliveries SET state = 'rejected'`
  const refused = await apart.file({}, key)
  expect([...said(refused), replayed(refused)]).toEqual([400, 'upstream_error', 'true'])
  await apart.stop()
})

describe('the same key with another request', () => {
  const file = { filename: 'a', content_base64: 'YQ==' }
  test.each([
    ['subject', { subject: 'Another' }],
    ['body', { body: `${TICKET.body} ` }],
    ['address', { requester_email: 'Ada@example.com' }],
    ['name', { requester_name: undefined }],
    ['file', { attachment: { ...file, content_base64: 'Yg==' } }],
    ["file's name", { attachment: { ...file, filename: 'b' } }],
    ["file's type", { attachment: { ...file, content_type: 'text/plain' } }],
    ['lack of the file', { attachment: undefined }],
  ])('is a mismatch: another %s', async (_what, change) => {
    const key = withKey(newKey())
    const first = await bellhop.file({ attachment: file }, key)
    expect(first.status).toBe(201)
    for (const desk of [bellhop, beside]) {
      const other = await desk.file({ attachment: file, ...change }, key)
      expect(said(other)).toEqual([422, 'idempotency_mismatch'])
    }
    expect((await bellhop.file({ attachment: file }, key)).body).toEqual(first.body)
  })

  test('is a mismatch while the first is on its way, too', async () => {
    const key = withKey(newKey())
    const release = await hold()
    const first = bellhop.file({}, key)
    await expect.poll(() => waiting('Timeout')).toBe(1)
    expect(said(await bellhop.file({ subject: 'Another' }, key))).toEqual([422, 'idempotency_mismatch'])
    const other = beside.file({ subject: 'Another' }, key)
    await expect.poll(() => waiting('Lock')).toBe(1)
    await release()
    expect(said(await other)).toEqual([422, 'idempotency_mismatch'])
    expect((await first).status).toBe(201)
  })
})

describe('two equal requests at once', () => {
  test.each([
    ['in one process', () => bellhop],
    ['in two processes', () => beside],
  ])('%s: the second waits for the COMMIT of the first, and is a replay', async (_where, other) => {
    const key = withKey(newKey())
    const release = await hold()
    const first = bellhop.file({}, key)
    await expect.poll(() => waiting('Timeout')).toBe(1)
    let answered = false
    const second = other()
      .file({}, key)
      .finally(() => {
        answered = true
      })
    if (other() === beside) await expect.poll(() => waiting('Lock')).toBe(1)
    expect(answered).toBe(false)
    await release()
    expect([(await first).status, replayed(await first)]).toEqual([201, null])
    expect([(await second).body, replayed(await second)]).toEqual([(await first).body, 'true'])
  })

  test('and the first is not committed after 2 s: the second may come again', async () => {
    const key = withKey(newKey())
    const release = await hold()
    const first = bellhop.file({}, key)
    await expect.poll(() => waiting('Timeout')).toBe(1)
    const started = performance.now()
    const others = await Promise.all([bellhop.file({}, key), beside.file({}, key)])
    const took = performance.now() - started
    for (const other of others) {
      expect(said(other)).toEqual([409, 'idempotency_conflict'])
      expect(Number(other.headers.get('retry-after'))).toBeGreaterThan(0)
    }
    expect(took).toBeGreaterThan(1900)
    expect(took).toBeLessThan(4500)
    await release()
    expect((await first).status).toBe(201)
    for (const desk of [bellhop, beside]) {
      expect((await desk.file({}, key)).body).toEqual((await first).body)
    }
  })

  test('16 at a time with 20 keys on two processes make 20 tickets', async () => {
    const subject = 'Sixteen at a time'
    const keys = Array.from({ length: 20 }, newKey)
    const answers = await Promise.all(
      Array.from({ length: 16 }, (_, turn) =>
        keys.map((key) => (turn % 2 ? bellhop : beside).file({ subject }, withKey(key))),
      ).flat(),
    )
    for (const answer of answers) expect(answer.status).toBe(201)
    expect(new Set(answers.map(({ body }) => body.ticket_id)).size).toBe(20)
    expect(answers.filter((answer) => replayed(answer) === null)).toHaveLength(20)
    expect(await ticketCount(subject)).toBe(20)
  })
})

describe('a key is free again', () => {
  test('where its request was refused', async () => {
    const key = withKey(newKey())
    for (const change of [{ subject: '' }, { brand_id: 'nobody' }, { person_id: 'per_eve' }]) {
      expect((await bellhop.file(change, key)).status).toBeGreaterThanOrEqual(400)
    }
    const attachment = { filename: 'a', content_base64: '*' }
    expect((await bellhop.file({ attachment }, key)).status).toBe(400)
    const mended = await bellhop.file({}, key)
    expect([mended.status, replayed(mended)]).toEqual([201, null])
  })

  test('where the database failed', async () => {
    const key = withKey(newKey())
    await bellhop.sql`ALTER TABLE tickets ADD CONSTRAINT trap CHECK (subject <> 'trapped')`
    expect((await bellhop.file({ subject: 'trapped' }, key)).status).toBe(500)
    await bellhop.sql`ALTER TABLE tickets DROP CONSTRAINT trap`
    const again = await bellhop.file({ subject: 'trapped' }, key)
    expect([again.status, replayed(again)]).toEqual([201, null])
  })

  test('where the database could not take the ticket in time', async () => {
    const key = withKey(newKey())
    const locked = Promise.withResolvers<void>()
    const answered = Promise.withResolvers<void>()
    const lock = bellhop.sql.begin(async (sql) => {
      await sql`LOCK TABLE messages IN ACCESS EXCLUSIVE MODE`
      locked.resolve()
      await answered.promise
    })
    await locked.promise
    const refused = await bellhop.file({}, key)
    answered.resolve()
    await lock
    expect(said(refused)).toEqual([503, 'unavailable'])
    expect(Number(refused.headers.get('retry-after'))).toBeGreaterThan(0)
    const again = await bellhop.file({}, key)
    expect([again.status, replayed(again)]).toEqual([201, null])
  })

  test('after 24 hours and not before', async () => {
    const key = withKey(newKey())
    const first = await bellhop.file({ subject: 'A day' }, key)
    const age = (hours: number) =>
      bellhop.sql`UPDATE idempotency_keys SET expires_at = expires_at - make_interval(hours => ${hours})
        WHERE message_id = (SELECT m.id FROM messages m JOIN tickets t ON t.id = m.ticket_id
          WHERE t.subject = 'A day')`
    await age(23)
    expect((await bellhop.file({ subject: 'A day' }, key)).body).toEqual(first.body)
    await age(1)
    const next = await bellhop.file({ subject: 'The next day' }, key)
    expect([next.status, replayed(next)]).toEqual([201, null])
    expect((await bellhop.file({ subject: 'The next day' }, key)).body).toEqual(next.body)
    expect(said(await bellhop.file({ subject: 'A day' }, key))).toEqual([422, 'idempotency_mismatch'])
  })
})

test('an answer that came too late loses nothing: the same key finds the ticket', async () => {
  const key = withKey(newKey())
  const release = await hold()
  expect(said(await bellhop.file({ subject: 'Late' }, key))).toEqual([503, 'unavailable'])
  await release()
  const again = await bellhop.file({ subject: 'Late' }, key)
  expect([again.status, replayed(again)]).toEqual([201, 'true'])
  expect(await ticketCount('Late')).toBe(1)
})
