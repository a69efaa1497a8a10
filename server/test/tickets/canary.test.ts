import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Said } from '../../src/conversation/say.ts'
import { newUuid, toId } from '../../src/ids.ts'
import { type Answer, startBellhop, type TestBellhop } from '../bellhop.ts'
import { type Speaking, speakingAt, uuidOf } from './speaking.ts'

let bellhop: TestBellhop
let speaking: Speaking
beforeAll(async () => {
  bellhop = await startBellhop()
  speaking = speakingAt(bellhop)
})
afterAll(() => bellhop.stop())

const CANARY = 'canary-7f3a'
const attachment = () => ({
  attachmentId: newUuid(),
  filename: `${CANARY}.txt`,
  declaredType: 'text/plain',
  detectedType: null,
  sha256: Buffer.alloc(32, 7),
  size: 6,
})
/** What no customer may see, by what makes it so. */
const UNSEEN: [string, Partial<Said>][] = [
  ['an internal note', { author: 'note', actor: 'operator', via: 'command' }],
  ['an answer that is held', { heldFor: 'empty', authorAddress: 'grace@acme.example', via: 'mail' }],
  ['a customer’s mail that is held', { author: 'customer', heldFor: 'unauthenticated', via: 'mail' }],
  ['what a machine wrote', { author: 'customer', automatic: true, via: 'mail' }],
  ['a note of the desk', { author: 'note', actor: 'desk', via: 'desk' }],
]

const get = (path: string, headers = {}) => bellhop.ask(path, { headers })
/** Every way in which a customer can look at a ticket. */
async function look(ticket: string): Promise<{ one: Answer; list: Answer; head: Answer }> {
  return {
    one: await get(`/v1/support/tickets/${ticket}`),
    list: await get('/v1/support/tickets?brand_id=acme'),
    head: await bellhop.ask(`/v1/support/tickets/${ticket}`, { method: 'HEAD' }),
  }
}
const shown = ({ one, list, head }: Awaited<ReturnType<typeof look>>) => [
  one.text,
  one.headers.get('etag'),
  list.text,
  head.headers.get('etag'),
  head.headers.get('content-length'),
]

describe.each(UNSEEN)('%s reaches no customer', (_what, what) => {
  test('by no way of looking, and moves nothing', async () => {
    const ticket = String((await bellhop.file()).body.ticket_id)
    // Were the ticket to move, it would stand before this one.
    await bellhop.file()
    const before = await look(ticket)
    const etag = String(before.one.headers.get('etag'))
    const file = attachment()
    await speaking.say(ticket, {
      body: `${CANARY} body`,
      authorName: CANARY,
      attachments: [file],
      ...what,
    })
    expect(await bellhop.sql`SELECT FROM messages WHERE ticket_id = ${uuidOf('tkt', ticket)}`).toHaveLength(2)
    const after = await look(ticket)
    expect(shown(after)).toEqual(shown(before))
    expect(JSON.stringify(shown(after))).not.toContain(CANARY)
    const known = await get(`/v1/support/tickets/${ticket}`, { 'if-none-match': etag })
    expect(known.status).toBe(304)
    const download = await get(`/v1/support/tickets/${ticket}/attachments/${toId('att', file.attachmentId)}`)
    expect([download.status, download.body.error]).toEqual([404, 'not_found'])
    const missing = await get(`/v1/support/tickets/${ticket}/attachments/att_${'0'.repeat(32)}`)
    expect(download.text).toBe(missing.text)
  })
})

test('the test would notice: what is released is seen in each of these ways', async () => {
  const ticket = String((await bellhop.file()).body.ticket_id)
  await bellhop.file()
  const message = await speaking.say(ticket, {
    body: CANARY,
    heldFor: 'empty',
    authorAddress: 'grace@acme.example',
  })
  const before = await look(ticket)
  await speaking.release(message)
  const after = await look(ticket)
  for (const [index, part] of shown(after).entries()) expect(part).not.toBe(shown(before)[index])
  expect(after.one.text).toContain(CANARY)
  expect(after.one.text).not.toContain('grace@acme.example')
  expect((after.list.body.data as { ticket_id: string }[])[0]?.ticket_id).toBe(ticket)
})

test('a status that changes beside a note is seen, and the note is not', async () => {
  const ticket = String((await bellhop.file()).body.ticket_id)
  await speaking.say(ticket, { author: 'note', body: CANARY, status: 'pending' })
  const { one, list } = await look(ticket)
  expect([one.body.status, (one.body.messages as unknown[]).length]).toEqual(['pending', 1])
  expect(one.text + list.text).not.toContain(CANARY)
})

test('an agent whose mail client writes the address as the name has none', async () => {
  const ticket = String((await bellhop.file()).body.ticket_id)
  await speaking.say(ticket, { authorName: 'grace@acme.example', authorAddress: 'grace@acme.example' })
  const { one } = await look(ticket)
  expect((one.body.messages as { speaker: object }[])[1]?.speaker).toEqual({ kind: 'agent', name: null })
  expect(one.text).not.toContain('grace')
})
