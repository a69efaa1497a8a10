import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { releaseHeld } from '../../src/conversation/release-held.ts'
import { type Said, say } from '../../src/conversation/say.ts'
import { type Author, isVisibleToCustomer, visibleToCustomer } from '../../src/conversation/visible.ts'
import { newUuid } from '../../src/ids.ts'
import { answer, deliveriesOf, entriesOf, note, type Scene, said, setScene, ticketOf } from './scene.ts'

const CANARY = 'canary-of-the-note'

let scene: Scene
beforeAll(async () => {
  scene = await setScene()
})
afterAll(() => scene.stop())

const speak = (what: Said) => scene.sql.begin((tx) => say(tx, scene.deps, what))
const release = (brandId: string, messageId: string) =>
  scene.sql.begin((tx) =>
    releaseHeld(tx, scene.deps, { brandId, messageId, actor: 'operator', actorId: 'root' }),
  )

test('the rule is the same for a message in hand and for SQL', async () => {
  const authors: Author[] = ['customer', 'agent', 'participant', 'system', 'note']
  for (const author of authors) {
    for (const heldFor of [null, 'loop']) {
      for (const automatic of [false, true]) {
        const [row] = await scene.sql<{ visible: boolean }[]>`
          SELECT ${visibleToCustomer(scene.sql)} AS visible
          FROM (SELECT ${author}::text AS author, ${heldFor}::text AS held_for, ${automatic}::boolean AS automatic) m`
        expect([author, heldFor, automatic, row?.visible]).toEqual([
          author,
          heldFor,
          automatic,
          isVisibleToCustomer({ author, heldFor, automatic }),
        ])
      }
    }
  }
})

describe('what is not for a customer moves nothing and goes to nobody', () => {
  test.each([
    ['a note', 'message.noted', (opened) => note(opened, { body: CANARY })],
    ['a held answer', 'message.held', (opened) => answer(opened, { heldFor: 'uncertain_text' })],
    [
      'a held answer with a status',
      'message.held',
      (opened) => answer(opened, { heldFor: 'uncertain_text', status: 'solved' }),
    ],
    ['a held mail of a customer', 'message.held', (opened) => said(opened, { heldFor: 'loop' })],
    ['an automatic mail', 'message.automatic', (opened) => said(opened, { automatic: true })],
    [
      'an automatic mail that is held',
      'message.automatic',
      (opened) => said(opened, { automatic: true, heldFor: 'loop' }),
    ],
  ] as [string, string, (opened: Parameters<typeof note>[0]) => Said][])(
    '%s',
    async (_what, action, make) => {
      for (const brandId of ['inbox', 'through', 'hook']) {
        const opened = await scene.open(brandId, { status: 'solved' })
        const before = await ticketOf(scene.sql, opened)
        const what = make(opened)
        expect((await speak(what)).status).toBe('solved')
        expect(await ticketOf(scene.sql, opened)).toEqual(before)
        expect(await deliveriesOf(scene.sql, opened)).toEqual([])
        expect(await entriesOf(scene.sql, opened)).toEqual([`${what.actor} ${action}`])
      }
    },
  )
})

test('an agent whose mail is held is told, by a mail that the desk sends', async () => {
  const opened = await scene.open('through')
  await speak(
    answer(opened, {
      heldFor: 'uncertain_text',
      via: 'mail',
      authorAddress: 'grace@acme.example',
      actor: 'sender',
    }),
  )
  expect(await deliveriesOf(scene.sql, opened)).toEqual(['desk returned grace@acme.example'])
})

describe('a message that is held no longer', () => {
  test('is as if it had just been said', async () => {
    const opened = await scene.open('hook', { status: 'solved' })
    const what = said(opened, { heldFor: 'loop', actor: 'sender' })
    await speak(what)
    const before = await ticketOf(scene.sql, opened)
    expect(await release('hook', what.messageId)).toMatchObject({ status: 'open' })
    const after = await ticketOf(scene.sql, opened)
    expect(after).toMatchObject({ status: 'open', solved: false })
    expect(after.updated_at > before.updated_at).toBe(true)
    expect(await deliveriesOf(scene.sql, opened)).toEqual(['desk message', 'desk status open'])
    expect(await entriesOf(scene.sql, opened)).toEqual([
      'sender message.held',
      'operator root message.released',
      'operator root ticket.status open',
    ])
  })

  test('is released by one of two who do it at once', async () => {
    const opened = await scene.open('through')
    const what = answer(opened, { heldFor: 'uncertain_text' })
    await speak(what)
    const both = await Promise.all([release('through', what.messageId), release('through', what.messageId)])
    expect(both.filter((released) => released !== null)).toHaveLength(1)
    expect(await release('through', what.messageId)).toBeNull()
    expect(await deliveriesOf(scene.sql, opened)).toEqual(['customer message ada@example.com'])
    expect((await entriesOf(scene.sql, opened)).filter((line) => line.includes('released'))).toHaveLength(1)
  })

  test('is one that was held, of a ticket that is not closed', async () => {
    const opened = await scene.open('inbox')
    const plain = said(opened)
    await speak(plain)
    const before = await ticketOf(scene.sql, opened)
    expect(await release('inbox', plain.messageId)).toBeNull()
    expect(await ticketOf(scene.sql, opened)).toEqual(before)
    await expect(release('inbox', newUuid())).rejects.toMatchObject({ code: 'not_found' })
    await expect(release('hook', plain.messageId)).rejects.toMatchObject({ code: 'not_found' })
    const held = said(opened, { heldFor: 'loop' })
    await speak(held)
    await scene.sql`UPDATE tickets SET status = 'closed' WHERE id = ${opened.ticketId}`
    await expect(release('inbox', held.messageId)).rejects.toMatchObject({ code: 'ticket_closed' })
  })
})
