import { afterEach, beforeEach, expect, test } from 'vitest'
import { type Answer, startBellhop, type TestBellhop } from '../bellhop.ts'
import { until } from '../database/embedded/processes.ts'
import { type MailDesk, mailBrand, startMailDesk } from './mail-desk.ts'
import { queueTickets } from './waiting.ts'

const WAIT = 2000

let desk: MailDesk
let bellhop: TestBellhop
beforeEach(async () => {
  desk = await startMailDesk()
  bellhop = await startBellhop({ brands: (issuer) => [mailBrand('acme', issuer, desk, WAIT)] })
})
afterEach(async () => {
  await bellhop.stop()
  await desk.close()
})

/** Files a ticket. @returns its answer, and after how many milliseconds it came */
async function timed(): Promise<{ answer: Answer; ms: number }> {
  const since = performance.now()
  const answer = await bellhop.file()
  return { answer, ms: performance.now() - since }
}

test('after an outage, when more is due than a desk takes within the wait, one ticket finds that out for all', async () => {
  const release = desk.hold()
  const backlog = await queueTickets(bellhop.sql, 'acme', 20)
  await until(() => desk.mails.length === 5)

  const first = await timed()
  expect(first.answer.body.status).toBe('requested')
  expect(first.ms).toBeGreaterThan(WAIT * 0.9)
  for (let ticket = 0; ticket < 3; ticket++) {
    const next = await timed()
    expect(next.answer.body.status).toBe('requested')
    expect(next.ms).toBeLessThan(WAIT * 0.7)
  }

  release()
  await until(() => desk.mails.length === backlog.length + 4)
})

test('and when all that was due has its place, tickets wait for their desk again', async () => {
  const release = desk.hold()
  const backlog = await queueTickets(bellhop.sql, 'acme', 20)
  await until(() => desk.mails.length === 5)
  expect((await bellhop.file()).body.status).toBe('requested')
  release()
  await until(() => desk.mails.length === backlog.length + 1)
  // As soon as the worker has seen that nothing more is due.
  await until(async () => {
    const [before] = await bellhop.sql`SELECT count(*)::int AS tickets FROM tickets`
    const holdsNoMore = desk.hold()
    const six = Array.from({ length: 6 }, () => bellhop.file())
    // Five have a place at the desk.
    await until(async () => {
      const [now] = await bellhop.sql`SELECT count(*)::int AS tickets FROM tickets`
      return now?.tickets === before?.tickets + 6
    })
    holdsNoMore()
    const answers = await Promise.all(six)
    return answers.every(({ body }) => body.status === 'sent')
  })
})
