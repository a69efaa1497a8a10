import { afterEach, beforeEach, expect, test } from 'vitest'
import { MOST_FAILURES } from '../../src/inbound/settle-mail.ts'
import { until } from '../database/embedded/processes.ts'
import { messageIds } from '../deliveries/mail-desk.ts'
import { anEmail } from '../inbound/settle/an-email.ts'
import { type CrashScene, setCrashScene } from './crash-scene.ts'

let scene: CrashScene
beforeEach(async () => {
  scene = await setCrashScene()
})
afterEach(() => scene.stop())

const mail = async () => {
  const [row] = await scene.sql`SELECT state, settled_as, reason, failures FROM inbound_mails`
  return row
}
const countMessages = async () =>
  (await scene.sql<{ count: number }[]>`SELECT count(*)::int AS count FROM messages`)[0]?.count
/** As when the lease of whoever was killed is over. */
const leaseOver = () => scene.sql`UPDATE inbound_mails SET due_at = now() WHERE state = 'received'`

/** A ticket whose requester answers it by mail, naming the mail that the desk got. */
async function answerOf(): Promise<Buffer> {
  const first = await scene.start()
  const filed = await first.file('order-1')
  first.kill()
  await first.died
  const fields = [`In-Reply-To: <${filed?.body.message_id}@acme.example>`]
  return anEmail({ text: 'It is here now.', fields })
}

test.each([
  ['before_settle', 1],
  ['in_settle', 1],
  ['after_settle', 2],
] as const)('killed at %s: the mail is said once, and carried once', async (point, said) => {
  const raw = await answerOf()
  const victim = await scene.start(point)
  await scene.bring(raw)
  expect(await victim.died).toBe('SIGKILL')
  expect(await countMessages()).toBe(said)
  expect(await mail()).toMatchObject({ state: said === 1 ? 'received' : 'settled' })
  await leaseOver()
  await scene.start()
  await until(async () => (await mail())?.state === 'settled')
  expect(await mail()).toMatchObject({ settled_as: 'reply', failures: said === 1 ? 1 : 0 })
  expect(await countMessages()).toBe(2)
  await until(() => scene.desk.mails.length === 2)
  expect(new Set(messageIds(scene.desk.mails)).size).toBe(2)
})

test('a mail that every process dies of lies in quarantine in the end, and stops no other', {
  timeout: 60_000,
}, async () => {
  const raw = await answerOf()
  await scene.bring(raw)
  for (let death = 1; death <= MOST_FAILURES; death++) {
    const victim = await scene.start('before_settle')
    await leaseOver()
    expect(await victim.died).toBe('SIGKILL')
    expect(await mail()).toMatchObject({ state: 'received', failures: death - 1 })
  }
  const survivor = await scene.start()
  await leaseOver()
  await until(async () => (await mail())?.state === 'settled')
  expect(await mail()).toMatchObject({ settled_as: 'quarantined', reason: 'unreadable_failed' })
  expect(await countMessages()).toBe(1)
  survivor.kill()
  await survivor.died
})
