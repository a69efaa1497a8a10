import { mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { BlobFolder } from '../../src/blobs/blob-folder.ts'
import { type Chore, Upkeep } from '../../src/deliveries/upkeep.ts'
import { createLog } from '../../src/log.ts'
import { until } from '../database/embedded/processes.ts'
import { createTestDatabase, type TestDatabase } from '../database/test-database.ts'
import { auditOf, deliveryOf, makeLate, stateOf } from './rows.ts'
import { queueTickets } from './waiting.ts'

const DAY = 24 * 60 * 60 * 1000
const LOST = '0'.repeat(64)

let database: TestDatabase
let folder: string
let lines: string[]
let underWay: string[]
beforeEach(async () => {
  database = await createTestDatabase()
  folder = await mkdtemp(join(tmpdir(), 'bellhop-test-'))
  lines = []
  underWay = []
})
afterEach(async () => {
  await database.stop()
  await rm(folder, { recursive: true, force: true })
})

const createUpkeep = (every?: number, asked = () => underWay, chores: Chore[] = []) =>
  new Upkeep({
    chores,
    database: database.database,
    blobs: new BlobFolder(folder, () => Date.now() + 2 * DAY),
    log: createLog({ level: 'debug', pretty: false, stream: { write: (line) => void lines.push(line) } }),
    random: () => 0.5,
    underWay: asked,
    ...(every === undefined ? {} : { every }),
  })

/** Tickets on which a process died, three days after they came. */
async function abandon(count: number): Promise<string[]> {
  const messages = await queueTickets(database.sql, 'acme', count)
  await database.sql`
    UPDATE deliveries SET state = 'leased', locked_by = 'died:1', attempts = 3, due_at = now(), give_up_at = now()
    WHERE state = 'pending'`
  return messages
}

test('what processes died on for three days is dead, with an attempt of its last holder and an audit entry', async () => {
  const [abandoned, tried] = await abandon(2)
  const [patient] = await queueTickets(database.sql, 'acme', 1)
  if (!abandoned || !tried || !patient) throw new Error('no tickets')
  await makeLate(database.sql, patient)
  underWay = [(await deliveryOf(database.sql, tried)).id]
  await createUpkeep().round()
  expect(await deliveryOf(database.sql, abandoned)).toMatchObject({ state: 'dead', locked_by: null })
  const attempts = await database.sql`SELECT number, outcome, code, locked_by, duration_ms FROM attempts`
  expect([...attempts]).toEqual([
    { number: 3, outcome: 'uncertain', code: 'lease_expired', locked_by: 'died:1', duration_ms: null },
  ])
  expect(await auditOf(database.sql, abandoned)).toEqual(['system delivery.dead'])
  // One that this process attempts is not given up, and a pending one gets its last attempt.
  expect([await stateOf(database.sql, tried), await stateOf(database.sql, patient)]).toEqual([
    'leased',
    'pending',
  ])
  expect(lines.join('')).toMatch(/"count":1,"event":"deliveries_buried"/)
})

test('audit entries of more than are buried at a time are each there, and sort by their time', async () => {
  await abandon(1201)
  await createUpkeep().round()
  const [audit] = await database.sql`
    SELECT count(*)::int AS count, count(DISTINCT delivery_id)::int AS deliveries,
      bool_and(substr(id::text, 15, 1) = '7') AS by_time
    FROM audit_entries`
  expect(audit).toEqual({ count: 1201, deliveries: 1201, by_time: true })
  expect(lines.join('')).toMatch(/"count":1201,"event":"deliveries_buried"/)
})

test('keys are held for their 24 h, and then swept, however many', async () => {
  await queueTickets(database.sql, 'acme', 1)
  await database.sql`
    INSERT INTO idempotency_keys (brand_id, digest, request_hash, message_id, expires_at)
    SELECT brand_id, sha256(n::text::bytea), sha256('same'), id,
      now() + CASE WHEN n <= 10 THEN interval '1 minute' ELSE interval '-1 minute' END
    FROM messages, generate_series(1, 20100) AS n`
  await createUpkeep().round()
  const [left] = await database.sql`SELECT count(*)::int AS count FROM idempotency_keys`
  expect(left?.count).toBe(10)
  expect(lines.join('')).toMatch(/"count":20090,"event":"keys_swept"/)
})

test("others' chores are done until none is left, and said where there was one", async () => {
  const left = [3, 3, 1]
  const idle = { event: 'idle', atOnce: 3, some: async () => 0 }
  const chore = { event: 'chores_done', atOnce: 3, some: async () => left.shift() ?? 0 }
  await createUpkeep(undefined, undefined, [idle, chore]).round()
  expect(left).toEqual([])
  expect(lines).toEqual([expect.stringMatching(/"count":7,"event":"chores_done"/)])
})

test("blobs are swept in every sixtieth round, unless the folder is another installation's", async () => {
  const upkeep = createUpkeep()
  const files = new BlobFolder(folder)
  const isThere = async () => (await readdir(join(folder, '00')).catch((): string[] => [])).includes(LOST)
  const round = async (times: number) => {
    for (let count = 0; count < times; count++) await upkeep.round()
  }
  await files.put(LOST, Buffer.from('nobody refers to it'))
  await round(59)
  expect(await isThere()).toBe(true)
  expect(lines).toEqual([])
  await round(1)
  expect(await isThere()).toBe(false)
  expect(lines.join('')).toMatch(/"count":1,"event":"blobs_swept"/)
  await files.put(LOST, Buffer.from('nobody refers to it'))
  await database.sql`UPDATE installation SET id = gen_random_uuid()`
  await round(60)
  expect(await isThere()).toBe(true)
  expect(lines.filter((line) => line.includes('blobs_swept'))).toHaveLength(1)
})

test('rounds go on by themselves, through a fault, until it is told to stop', async () => {
  let rounds = 0
  const count = () => {
    rounds++
    return []
  }
  const upkeep = createUpkeep(20, count)
  upkeep.start()
  await database.sql`ALTER TABLE idempotency_keys RENAME TO moved`
  await until(() => lines.join('').includes('upkeep_failed'))
  await database.sql`ALTER TABLE moved RENAME TO idempotency_keys`
  const [abandoned] = await abandon(1)
  if (!abandoned) throw new Error('no ticket')
  await until(async () => (await stateOf(database.sql, abandoned)) === 'dead')
  await upkeep.stop()
  const before = rounds
  // Another one, as quick, comes to five rounds meanwhile.
  let others = 0
  const other = createUpkeep(20, () => {
    others++
    return []
  })
  other.start()
  await until(() => others >= 5)
  await other.stop()
  expect(rounds).toBe(before)
})
