import { retryDeliveries } from '../../src/deliveries/delivery.report.ts'
import { fromId } from '../../src/ids.ts'
import { brandOf, startBellhop, type TestBellhop } from '../bellhop.ts'
import { until } from '../database/embedded/processes.ts'
import { mailBrand, startMailDesk } from '../deliveries/mail-desk.ts'
import { endsOf, makeLate, stateOf } from '../deliveries/rows.ts'
import type { TestIssuer } from '../http/tokens/test-issuer.ts'
import { type Conversation, holdConversation } from './conversation-scene.ts'

const ENDS = ['delivered', 'retried', 'rejected', 'dead', 'pending', 'leased', 'inbox'] as const

export type EveryEnd = {
  bellhop: TestBellhop
  /** The message, a UUID, by what became of it. */
  of: Record<(typeof ENDS)[number], string>
  /** What was said on the ticket in the inbox. */
  talk: Conversation
  stop(): Promise<void>
}

/**
 * A ticket, each with the same attachment and a key, for every end there is, and for those that have come to none
 * yet: one is pending after an attempt, and one is under way until `stop`.
 */
export async function fileForEveryEnd(): Promise<EveryEnd> {
  const desk = await startMailDesk()
  const brands = (issuer: TestIssuer) => [mailBrand('acme', issuer, desk, 300), brandOf('globex', issuer)]
  const bellhop = await startBellhop({ brands, roles: { api: true, worker: false } })
  const { sql } = bellhop
  const file = async (key: string, brand_id = 'acme'): Promise<string> => {
    await bellhop.file({ brand_id, attachment: ATTACHMENT }, { 'idempotency-key': key })
    // A refusal does not name it.
    const [row] = await sql<{ id: string }[]>`
      SELECT 'msg_' || replace(id::text, '-', '') AS id FROM messages ORDER BY id DESC LIMIT 1`
    if (row === undefined) throw new Error('nothing was kept')
    return row.id
  }
  const delivered = await file('delivered')
  desk.refuseMails.push(550)
  const retried = await file('retried')
  await sql.begin((transaction) =>
    retryDeliveries(transaction, 'ada', { states: ['rejected'], brandId: null }),
  )
  const worker = await startBellhop({ beside: bellhop, brands, roles: { api: false, worker: true } })
  await until(async () => (await endsOf(sql, retried)).length === 2)
  await worker.stop()
  desk.refuseMails.push(550, 450)
  const rejected = await file('rejected')
  const pending = await file('pending')
  const answerLate = desk.hold()
  const dead = await file('dead')
  await makeLate(sql, dead)
  desk.refuseMails.push(450)
  answerLate()
  await until(async () => (await stateOf(sql, dead)) === 'dead')
  const release = desk.hold()
  const leased = await file('leased')
  const inbox = await file('inbox', 'globex')
  const messages = { delivered, retried, rejected, dead, pending, leased, inbox }
  return {
    bellhop,
    talk: await holdConversation(sql, fromId('msg', inbox) ?? ''),
    of: Object.fromEntries(ENDS.map((end) => [end, fromId('msg', messages[end])])) as EveryEnd['of'],
    async stop() {
      release()
      await bellhop.stop()
      await desk.close()
    },
  }
}

const ATTACHMENT = { filename: 'receipt.txt', content_base64: Buffer.from('42').toString('base64') }
