import { afterAll, beforeAll, expect, test } from 'vitest'
import { addParticipant, correctAddress, removeParticipant } from '../../src/conversation/people.store.ts'
import { receiptOfMessage } from '../../src/conversation/receipt.ts'
import { releaseHeld } from '../../src/conversation/release-held.ts'
import { type Said, say } from '../../src/conversation/say.ts'
import { answer, note, type Opened, type Scene, said, setScene } from './scene.ts'

let scene: Scene
beforeAll(async () => {
  scene = await setScene()
})
afterAll(() => scene.stop())

const BY = { actor: 'operator', actorId: 'grace' } as const

async function speak(what: Said): Promise<string> {
  await scene.sql.begin((tx) => say(tx, scene.deps, what))
  return what.messageId
}
const add = ({ brandId, ticketId }: Opened, address: string) =>
  scene.sql.begin((tx) => addParticipant(tx, { ...BY, brandId, ticketId, address, name: null }))

/** `customer message ada@example.com`; null: it has none. */
async function receiptOf(messageId: string): Promise<string | null> {
  const [row] = await scene.sql<{ receipt: string }[]>`
    SELECT nullif(concat_ws(' ', d.side, d.kind, d.recipient), '') AS receipt
    FROM messages m LEFT JOIN LATERAL ${receiptOfMessage(scene.sql)} d ON true WHERE m.id = ${messageId}`
  if (row === undefined) throw new Error('no message')
  return row.receipt
}

test('of what the customer or a participant says it is that of the desk, of an answer that of the requester', async () => {
  const opened = await scene.open('hook')
  await add(opened, 'bob@example.com')
  for (const author of ['customer', 'participant'] as const)
    expect(await receiptOf(await speak(said(opened, { author })))).toBe('desk message')
  expect(await receiptOf(await speak(answer(opened, { status: 'solved' })))).toBe(
    'customer message ada@example.com',
  )
  expect(await receiptOf(await speak(note(opened)))).toBeNull()
})

test('a participant’s is not shown, whenever it was promised, and whether or not they are one still', async () => {
  const opened = await scene.open('through')
  await add(opened, 'bob@example.com')
  const message = await speak(answer(opened))
  expect(await receiptOf(message)).toBe('customer message ada@example.com')
  const { brandId, ticketId } = opened
  await scene.sql.begin((tx) =>
    removeParticipant(tx, { ...BY, brandId, ticketId, address: 'bob@example.com' }),
  )
  expect(await receiptOf(message)).toBe('customer message ada@example.com')
})

test('whose address is another one now sees what became of the mail to that', async () => {
  const opened = await scene.open('through')
  await add(opened, 'ada@example.org')
  const message = await speak(answer(opened))
  const { brandId, ticketId } = opened
  const right = { ...BY, brandId, ticketId, address: 'ada@example.org' }
  await scene.sql.begin(async (tx) => {
    await correctAddress(tx, { ...right, proven: true })
    await removeParticipant(tx, right)
  })
  expect(await receiptOf(message)).toBe('customer message ada@example.org')
})

test('a requester who is a participant, too, has one mail, and sees what became of it', async () => {
  const opened = await scene.open('through')
  await add(opened, 'ada@example.com')
  expect(await receiptOf(await speak(answer(opened)))).toBe('customer message ada@example.com')
})

test('what went back to its agent is none, and once it is released it has its own', async () => {
  const opened = await scene.open('through', { proven: false })
  const held = { heldFor: 'uncertain_text', authorAddress: 'grace@acme.example', via: 'mail' } as const
  const message = await speak(answer(opened, held))
  expect(await receiptOf(message)).toBeNull()
  const { brandId } = opened
  await scene.sql.begin((tx) => releaseHeld(tx, scene.deps, { ...BY, brandId, messageId: message }))
  expect(await receiptOf(message)).toBe('customer message ada@example.com')
})
