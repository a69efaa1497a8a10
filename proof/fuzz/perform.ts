import type { Answer } from './answer.ts'
import { bytesOf, type Case } from './case.ts'
import { goOn } from './going-on.ts'
import { type Lane, sayAll } from './lane.ts'
import { judge } from './oracle.ts'
import type { Surface } from './surface.ts'
import type { Tally } from './tally.ts'
import { CANARY } from './values.ts'

export type Stage = { port: number; surface: Surface; tally: Tally; nextKey(): string }

export type Receipt = { ticket_id: string; message_id: string }

/**
 * Sends a case, judges each answer, and does what follows.
 * @throws Error that says what was wrong
 */
export async function perform(stage: Stage, lane: Lane, one: Case): Promise<void> {
  if (one.raw !== undefined) {
    const { wanted = 1, owed = false } = one
    if (wanted > 0 && !owed) stage.tally.maybe()
    const answers = await sayAll(stage.port, one.raw, wanted, owed)
    if (owed && answers.length < wanted && answers.at(-1)?.last !== true)
      throw new Error(`it got ${answers.length} of ${wanted} answers, and the connection was to be kept`)
    if (wanted === 0 && answers.length === 0) stage.tally.unanswered(false)
    for (let missing = wanted - answers.length; missing > 0; missing--) stage.tally.unanswered(true)
    for (const answer of answers) accept(stage, one, answer)
    return
  }
  const keyed = one.then?.startsWith('again') ? withKey(stage, one) : one
  const answer = await ask(stage, lane, keyed)
  if (one.then === undefined || answer.status !== 201) return
  const receipt: Receipt = JSON.parse(answer.text)
  if (one.then === 'again') await repeat(stage, lane, keyed, receipt)
  else if (one.then === 'again with another body') await repeatOtherwise(stage, lane, keyed)
  else if (one.then === 'goes on') await goOn(stage.surface, one, receipt, (asked) => ask(stage, lane, asked))
  else await read(stage, lane, one, receipt)
}

async function ask(stage: Stage, lane: Lane, one: Case): Promise<Answer> {
  const answer = await lane.ask(bytesOf(one), one.method === 'HEAD')
  // A body that was not sent: the server waits for it.
  if (one.what === 'a length that is too much') lane.close()
  accept(stage, one, answer)
  return answer
}

function accept({ surface, tally }: Stage, one: Case, answer: Answer): void {
  const fault = judge(surface, one, answer)
  if (fault !== null) throw new Error(`${fault}: ${answer.text.slice(0, 300)}`)
  tally.count(one.operation, answer.status, answer.headers.get('idempotency-replayed') === 'true')
}

/** Whatever is repeated while a failure is made small, a key of its own is new each time. */
function withKey(stage: Stage, one: Case): Case {
  return { ...one, headers: [...one.headers, ['Idempotency-Key', stage.nextKey()]] }
}

async function repeat(stage: Stage, lane: Lane, one: Case, receipt: Receipt): Promise<void> {
  const answer = await ask(stage, lane, { ...one, what: 'the same again', expect: [201] })
  if (answer.status !== 201) return
  const again: Receipt = JSON.parse(answer.text)
  if (again.ticket_id !== receipt.ticket_id || again.message_id !== receipt.message_id) {
    throw new Error('the same key and body made another ticket')
  }
  if (answer.headers.get('idempotency-replayed') !== 'true')
    throw new Error('a replay does not say that it is one')
}

async function repeatOtherwise(stage: Stage, lane: Lane, one: Case): Promise<void> {
  const body = { ...JSON.parse(String(one.body)), body: `${CANARY} another` }
  await ask(stage, lane, {
    ...one,
    ...{ what: 'the same key with another body', body: Buffer.from(JSON.stringify(body)) },
    ...{ expect: [422], codes: ['idempotency_mismatch'] },
  })
}

async function read(stage: Stage, lane: Lane, one: Case, receipt: Receipt): Promise<void> {
  const operation = stage.surface.operations.find(
    ({ method, path }) => method === 'GET' && path.includes('{ticket_id}'),
  )
  if (operation === undefined) throw new Error('the document does not say how a ticket is read')
  const owns = one.then === 'owner reads'
  const answer = await ask(stage, lane, {
    ...{ what: String(one.then), operation: operation.name, method: 'GET', body: null },
    target: operation.path.replace('{ticket_id}', receipt.ticket_id),
    headers: [['Authorization', `Bearer ${one.reader}`]],
    expect: owns ? [200] : [404],
  })
  if (!owns || answer.status !== 200) return
  const ticket = JSON.parse(answer.text)
  if (ticket.subject !== one.sent?.subject || ticket.messages[0]?.body !== one.sent?.body) {
    throw new Error('a ticket that is read is not the one that was filed')
  }
}
