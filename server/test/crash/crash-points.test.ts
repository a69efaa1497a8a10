import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { until } from '../database/embedded/processes.ts'
import { messageIds } from '../deliveries/mail-desk.ts'
import { auditOf, endsOf, makeDue, stateOf } from '../deliveries/rows.ts'
import { type CrashScene, setCrashScene } from './crash-scene.ts'

let scene: CrashScene
beforeEach(async () => {
  scene = await setCrashScene()
})
afterEach(() => scene.stop())

const countTickets = async () => {
  const [row] = await scene.sql<{ count: number }[]>`SELECT count(*)::int AS count FROM tickets`
  return row?.count
}

test('killed before COMMIT: the ticket is nowhere, and the same key files it once', async () => {
  const victim = await scene.start('before_commit')
  expect(await victim.file('order-1')).toBeNull()
  expect(await victim.died).toBe('SIGKILL')
  expect(await countTickets()).toBe(0)
  const next = await scene.start()
  const filed = await next.file('order-1')
  expect(filed).toMatchObject({ status: 201, replayed: false, body: { status: 'sent' } })
  expect(await countTickets()).toBe(1)
  expect(scene.desk.mails).toHaveLength(1)
})

describe('killed after COMMIT, before anybody was asked to carry it', () => {
  test.each(['after_commit', 'before_attempt'] as const)(
    '(%s) the same key finds the ticket, and it is carried once when the lease is over',
    async (point) => {
      const victim = await scene.start(point)
      expect(await victim.file('order-1')).toBeNull()
      expect(await victim.died).toBe('SIGKILL')
      const next = await scene.start()
      const found = await next.file('order-1')
      if (found === null) throw new Error('no answer')
      expect(found).toMatchObject({ status: 201, replayed: true, body: { status: 'requested' } })
      expect(await stateOf(scene.sql, found)).toBe('leased')
      expect(scene.desk.mails).toHaveLength(0)
      await makeDue(scene.sql, found)
      await until(async () => (await stateOf(scene.sql, found)) === 'delivered')
      expect(await endsOf(scene.sql, found)).toEqual(['uncertain lease_expired', 'delivered smtp_250'])
      expect(await auditOf(scene.sql, found)).toEqual(['person ticket.created', 'system delivery.delivered'])
      expect(messageIds(scene.desk.mails)).toEqual([`<${found.body.message_id}@acme.example>`])
      expect(await countTickets()).toBe(1)
    },
  )
})

describe('killed when the desk may have taken it', () => {
  test.each(['during the attempt', 'after_attempt'] as const)(
    '(%s) it is uncertain, and sent again as the same mail',
    async (point) => {
      const release = scene.desk.hold()
      const victim = await scene.start(point === 'after_attempt' ? point : undefined)
      const answer = victim.file('order-1')
      await until(() => scene.desk.mails.length === 1)
      if (point === 'during the attempt') victim.kill()
      else release()
      expect(await answer).toBeNull()
      expect(await victim.died).toBe('SIGKILL')
      release()
      const next = await scene.start()
      const found = await next.file('order-1')
      if (found === null) throw new Error('no answer')
      expect(found).toMatchObject({ status: 201, replayed: true, body: { status: 'requested' } })
      await makeDue(scene.sql, found)
      await until(async () => (await stateOf(scene.sql, found)) === 'delivered')
      expect(await endsOf(scene.sql, found)).toEqual(['uncertain lease_expired', 'delivered smtp_250'])
      expect(scene.desk.mails).toHaveLength(2)
      expect(scene.desk.mails[1]).toBe(scene.desk.mails[0])
      expect(messageIds(scene.desk.mails)).toEqual(Array(2).fill(`<${found.body.message_id}@acme.example>`))
    },
  )
})

describe('killed while a customer says more', () => {
  const countMessages = async () => {
    const [row] = await scene.sql<{ messages: number; files: number }[]>`
      SELECT (SELECT count(*)::int FROM messages) AS messages, (SELECT count(*)::int FROM attachments) AS files`
    return [row?.messages, row?.files]
  }

  test.each([
    ['before_commit', false],
    ['after_commit', true],
    ['before_attempt', true],
  ] as const)('(%s) the same key says it once, and it is carried once', async (point, isKept) => {
    const first = await scene.start()
    const ticket = (await first.file('order-1'))?.body.ticket_id
    first.kill()
    await first.died
    const victim = await scene.start(point)
    expect(await victim.say(ticket, 'more-1')).toBeNull()
    expect(await victim.died).toBe('SIGKILL')
    expect(await countMessages()).toEqual(isKept ? [2, 1] : [1, 0])
    const next = await scene.start()
    const said = await next.say(ticket, 'more-1')
    if (said === null) throw new Error('no answer')
    expect(said).toMatchObject({ status: 201, replayed: isKept })
    expect(await countMessages()).toEqual([2, 1])
    await makeDue(scene.sql, said)
    await until(async () => (await stateOf(scene.sql, said)) === 'delivered')
    expect(messageIds(scene.desk.mails)).toHaveLength(2)
    expect(messageIds(scene.desk.mails)[1]).toBe(`<${said.body.message_id}@acme.example>`)
  })
})
