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
      expect(await auditOf(scene.sql, found)).toEqual(['person ticket.created'])
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
