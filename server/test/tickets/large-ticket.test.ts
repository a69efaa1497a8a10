import { get, type IncomingMessage } from 'node:http'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { startBellhop, type TestBellhop } from '../bellhop.ts'
import { uuidOf } from './speaking.ts'

const MIB = 1024 * 1024

let bellhop: TestBellhop
beforeAll(async () => {
  bellhop = await startBellhop()
})
afterAll(() => bellhop.stop())

const open = async () => String((await bellhop.file()).body.ticket_id)
const read = (ticket: string) => bellhop.ask(`/v1/support/tickets/${ticket}`)
const grow = (ticket: string, mebibytes: number, author = 'agent') => bellhop.sql`
  INSERT INTO messages (brand_id, id, ticket_id, author, body)
  SELECT 'acme', gen_random_uuid(), ${uuidOf('tkt', ticket)}, ${author}, repeat('x', ${MIB})
  FROM generate_series(1, ${mebibytes})`
const growFiles = (ticket: string, mebibytes: number) => bellhop.sql`
  WITH blob AS (INSERT INTO blobs (sha256, size) VALUES (${Buffer.alloc(32, 1)}, 1) RETURNING sha256)
  INSERT INTO attachments (brand_id, id, message_id, filename, sha256)
  SELECT 'acme', gen_random_uuid(), m.id, repeat('x', ${MIB}), sha256
  FROM blob, messages m, generate_series(1, ${mebibytes}) WHERE m.ticket_id = ${uuidOf('tkt', ticket)}`
const say = (ticket: string) =>
  bellhop.ask(`/v1/support/tickets/${ticket}/messages`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ body: 'And another thing.' }),
  })

test('large tickets are read a few at a time, and nobody else waits for them', async () => {
  const large = await open()
  await grow(large, 20)
  const small = await open()
  const authorization = `Bearer ${await bellhop.issuer.token()}`
  const { promise, resolve } = Promise.withResolvers<IncomingMessage>()
  // It is not read: the answer lies in the server's memory.
  get(`${bellhop.url}/v1/support/tickets/${large}`, { headers: { authorization }, agent: false }, resolve)
  const slow = await promise
  expect(slow.statusCode).toBe(200)
  const refused = await read(large)
  expect([refused.status, refused.body.error]).toEqual([503, 'unavailable'])
  expect(refused.headers.get('retry-after')).toBe('1')
  expect((await read(small)).status).toBe(200)
  expect((await bellhop.ask('/readyz')).status).toBe(200)
  slow.destroy()
  await expect.poll(async () => (await read(large)).status, { timeout: 10_000 }).toBe(200)
})

test('one that holds too much takes no more, and what its customer may not see counts for nothing', async () => {
  const noted = await open()
  await grow(noted, 33, 'note')
  expect((await say(noted)).status).toBe(201)
  const files = await open()
  await growFiles(files, 33)
  expect((await say(files)).status).toBe(413)
  const full = await open()
  await grow(full, 33)
  const answer = await say(full)
  expect([answer.status, answer.body.error]).toEqual([413, 'payload_too_large'])
  expect((await read(full)).status).toBe(200)
})

test('a page of the list ends where it is large enough, and none is left out', async () => {
  const subjects = Array.from({ length: 6 }, (_, index) => `${index}`.repeat(150 * 1024))
  for (const subject of subjects)
    expect((await bellhop.file({ person_id: 'per_bob', subject }, await bob())).status).toBe(201)
  const seen: string[] = []
  let sizes: number[] = []
  let cursor: unknown = null
  do {
    const next = cursor === null ? '' : `&cursor=${cursor}`
    const { body } = await bellhop.ask(`/v1/support/tickets?brand_id=acme&limit=100${next}`, {
      headers: await bob(),
    })
    const data = body.data as { subject: string }[]
    seen.push(...data.map(({ subject }) => subject))
    sizes = [...sizes, data.length]
    cursor = body.next_cursor
  } while (cursor !== null)
  expect(seen).toEqual(subjects.toReversed())
  expect(sizes).toEqual([2, 2, 2])
})

const bob = async () => ({ authorization: `Bearer ${await bellhop.issuer.token({ sub: 'per_bob' })}` })
