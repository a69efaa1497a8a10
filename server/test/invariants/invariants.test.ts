import { afterAll, beforeAll, expect, test } from 'vitest'
import { agree, countAll } from '../../src/invariants/counts.store.ts'
import { examine, type Finding } from '../../src/invariants/invariant.ts'
import { examineAll, INVARIANTS } from '../../src/invariants/invariants.ts'
import { TALK_DAMAGES } from './conversation-damage.ts'
import { DAMAGES, type Damage } from './damage.ts'
import { DELIVERY_DAMAGES } from './delivery-damage.ts'
import { type EveryEnd, fileForEveryEnd } from './every-end.ts'
import { INBOUND_DAMAGES } from './inbound-damage.ts'

const ALL = [...DAMAGES, ...DELIVERY_DAMAGES, ...TALK_DAMAGES, ...INBOUND_DAMAGES]

let scene: EveryEnd
beforeAll(async () => {
  scene = await fileForEveryEnd()
})
afterAll(() => scene.stop())

test('whatever became of the tickets, all of it holds', async () => {
  const findings: Finding[] = []
  const counts = await examineAll(scene.bellhop.sql, (finding) => findings.push(finding))
  expect(findings).toEqual(INVARIANTS.map(({ claim }) => ({ claim, broken: 0, examples: [] })))
  expect(counts).toEqual({
    ...{
      tickets: 8,
      made: 8,
      messages: 11,
      promised: 11,
      deliveries: 16,
      attachments: 7,
      blobs: 10,
      unreferred: 0,
    },
    ...{ pending: 10, leased: 1, delivered: 3, rejected: 1, dead: 1, counted: 7, attempts: 6 },
    ...{
      mails: 9,
      unsettled: 1,
      replies: 1,
      newTickets: 1,
      automatic: 1,
      bounces: 1,
      duplicates: 1,
      quarantined: 3,
    },
  })
  expect(agree(counts)).toBe(true)
})

/** What is found where triggers and constraints did not hold; after it all is as it was. */
async function findAfter(make: Damage['make']): Promise<{ findings: Finding[]; numbers: boolean }> {
  const findings: Finding[] = []
  let numbers = true
  const undo = new Error('undone')
  const session = scene.bellhop.sql.begin(async (sql) => {
    await sql`SET LOCAL session_replication_role = replica`
    const checks = await sql<{ table: string; name: string }[]>`
      SELECT conrelid::regclass::text AS table, conname AS name FROM pg_constraint
      WHERE conrelid IN ('tickets'::regclass, 'deliveries'::regclass, 'inbound_mails'::regclass) AND contype = 'c'`
    for (const { table, name } of checks) await sql`ALTER TABLE ${sql(table)} DROP CONSTRAINT ${sql(name)}`
    await sql`DROP INDEX inbound_mails_once, inbound_mails_request`
    await make(sql, scene.of, scene.talk)
    for (const invariant of INVARIANTS) findings.push(await examine(sql, invariant))
    numbers = agree(await countAll(sql))
    throw undo
  })
  await session.catch((error: unknown) => {
    if (error !== undo) throw error
  })
  return { findings: findings.filter(({ broken }) => broken > 0), numbers }
}

test.each(ALL)('$claim: $how', async ({ claim, also = [], make, unequal }) => {
  const { findings, numbers } = await findAfter(make)
  expect(findings.map((finding) => finding.claim)).toEqual([claim, ...also])
  expect(findings[0]?.examples[0]).toMatch(/^((tkt|msg|att|dlv|inb)_[0-9a-f]{32}|[0-9a-f-]{36})$/)
  expect(numbers).toBe(unequal !== true)
})

test('each of them is seen to fail', () => {
  expect([...new Set(ALL.map(({ claim }) => claim))].sort()).toEqual(
    INVARIANTS.map(({ claim }) => claim).sort(),
  )
})

test('of many that break one, three are named', async () => {
  const { findings } = await findAfter(async (sql) => {
    await sql`DELETE FROM messages`
  })
  const [first] = findings
  expect(first).toMatchObject({ claim: 'every ticket has a message', broken: 8 })
  expect(first?.examples).toHaveLength(3)
})
