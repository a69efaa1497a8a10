import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { createTestDatabase, type TestDatabase } from '../../server/test/database/test-database.ts'
import { backupChecks, nothingSeen, type Seen as SeenOfBackups } from '../chaos/backup-checks.ts'
import { checksOf, type Seen as SeenOfClocks } from '../chaos/clock-checks.ts'
import type { Check } from '../chaos/fault.ts'
import { changedDeliveries } from '../chaos/restored-rows.ts'

const broken = (checks: Check[]) => checks.filter(({ ok }) => !ok).map(({ what }) => what)

describe('clocks that jump', () => {
  const judge = (
    seen: Partial<SeenOfClocks> = {},
    limits: { unlimited?: number; longestLimit?: number } = {},
  ) =>
    broken(
      checksOf(
        { expired: 4, expiredTaken: 0, good: 4, goodRefused: 0, longest: new Map([['both', 900]]), ...seen },
        { limited: 8, unlimited: 0, longestLimit: 60, longestUnknown: 1, longestRevoked: 59, ...limits },
      ),
    )

  test('hold where tokens and limits are judged as on any day', () => {
    expect(judge()).toEqual([])
  })

  test('prove nothing of tokens past their time where none was shown', () => {
    expect(judge({ expired: 0 })).toEqual(['tokens taken past their time'])
    expect(judge({ expiredTaken: 1 })).toEqual(['tokens taken past their time'])
    expect(judge({ good: 0 })).toEqual(['good tokens refused'])
  })

  test('break the row where a jump disarms the limit, or makes it last a day', () => {
    expect(judge({}, { unlimited: 1 })).toEqual([expect.stringContaining('nobody was over the limit')])
    expect(judge({}, { longestLimit: 86_400 })).toEqual([expect.stringContaining('a 429 asked for')])
  })
})

describe('a copy that was restored', () => {
  const seen: SeenOfBackups = {
    ...nothingSeen(),
    ...{ backups: 2, verified: 2, restored: 2, doctored: 2, released: 2 },
    ...{ acknowledged: 90, rows: 500, attachments: 9, undelivered: 11, carriedByCopies: 11 },
  }
  const judge = (other: Partial<SeenOfBackups> = {}) => broken(backupChecks(2, { ...seen, ...other }))

  test('sends what was not delivered, and nothing else and nothing on hold', () => {
    expect(judge()).toEqual([])
    const sent = 'sent by the copies, of what was not delivered when the backup was made'
    expect(judge({ carriedByCopies: 12 })).toEqual([sent])
    expect(judge({ carriedByCopies: 10 })).toEqual([sent])
    expect(judge({ carriedByCopies: 0, undelivered: 0 })).toEqual([sent])
    expect(judge({ carriedOnHold: 1 })).toEqual(['sent while on hold'])
    expect(judge({ released: 1 })).toEqual(['released from their hold, and carried to the end'])
  })

  let first: TestDatabase
  let copy: TestDatabase
  beforeAll(async () => {
    ;[first, copy] = await Promise.all([createTestDatabase(), createTestDatabase()])
  })
  afterAll(async () => {
    await Promise.all([first?.stop(), copy?.stop()])
  })

  type Delivery = { state: string; attempts: number; mail: string }
  const make = async ({ sql }: TestDatabase, { state, attempts, mail }: Delivery) => {
    const id = '019ab000-0000-7000-8000-000000000001'
    await sql.begin(async (transaction) => {
      // Of the tables only this one is asked for.
      await transaction`SET LOCAL session_replication_role = replica`
      await transaction`DELETE FROM deliveries`
      await transaction`
        INSERT INTO deliveries
          (brand_id, id, message_id, connector, mail_message_id, state, attempts, locked_by, due_at, give_up_at,
            created_at, finished_at)
        VALUES ('acme', ${id}, ${id}, 'smtp', ${mail}, ${state}, ${attempts},
          ${state === 'leased' ? 'host:1:a' : null}, '2026-01-01', '2026-01-04', '2026-01-01',
          ${state === 'delivered' ? '2026-01-01' : null})`
    })
  }
  const pending = { state: 'pending', attempts: 1, mail: '<a@acme.example>' }
  const delivered = { ...pending, state: 'delivered' }

  test.each([
    ['is as it was', pending, pending, { undelivered: 1, changed: 0 }],
    [
      'waits for what has gone out since',
      pending,
      { ...delivered, attempts: 2 },
      { undelivered: 1, changed: 0 },
    ],
    ['knows that it is delivered', delivered, delivered, { undelivered: 0, changed: 0 }],
    ['says of what waits that it is delivered', delivered, pending, { undelivered: 0, changed: 1 }],
    ['holds a lease', { ...pending, state: 'leased' }, pending, { undelivered: 1, changed: 1 }],
    [
      'counts attempts that nobody made',
      { ...pending, attempts: 3 },
      delivered,
      { undelivered: 1, changed: 1 },
    ],
    [
      'bears another Message-ID',
      { ...pending, mail: '<b@acme.example>' },
      pending,
      { undelivered: 1, changed: 1 },
    ],
  ])('a delivery in it %s', async (_what, copied, there, found) => {
    await make(copy, copied)
    await make(first, there)
    expect(await changedDeliveries(copy.sql, first.sql)).toEqual(found)
  })
})
