import { createServer } from 'node:net'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { describeDatabaseError, isDatabaseAway, openDatabase, withDeadline } from '../../src/database/pool.ts'
import { createTestDatabase, type TestDatabase } from './test-database.ts'

let db: TestDatabase
beforeAll(async () => {
  db = await createTestDatabase({ migrated: false })
  await db.sql`create table people (name text constraint people_name primary key check (name <> 'no'))`
})
afterAll(() => db.stop())

/** What a statement on a fresh pool fails with. */
async function failure(url: string): Promise<unknown> {
  const database = openDatabase({ kind: 'url', url }, { max: 1, applicationName: 'vitest' })
  try {
    return await database.sql`select 1`.then(
      () => null,
      (error: unknown) => error,
    )
  } finally {
    await database.close()
  }
}

describe('the database is away', () => {
  test('nobody listens there, or the name does not exist', async () => {
    expect(isDatabaseAway(await failure('postgres://u@127.0.0.1:1/d'))).toBe(true)
    expect(isDatabaseAway(await failure('postgres://u@127.0.0.1:1,127.0.0.1:2/d'))).toBe(true)
    expect(isDatabaseAway(await failure('postgres://u@no-such-host.invalid/d'))).toBe(true)
    expect(isDatabaseAway(await failure('postgres://u@/d?host=/no/such/folder'))).toBe(true)
  })

  test.each(['resets', 'hangs up', 'says nothing'])('somebody listens who %s', async (how) => {
    const server = createServer((socket) => {
      socket.on('error', () => {})
      if (how === 'resets') socket.resetAndDestroy()
      else if (how === 'hangs up') socket.end()
    })
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    const address = server.address()
    if (address === null || typeof address === 'string') throw new Error('Expected a port')
    for (const sslmode of ['disable', 'require']) {
      const url = `postgres://u@127.0.0.1:${address.port}/d?connect_timeout=1&sslmode=${sslmode}`
      expect(isDatabaseAway(await failure(url))).toBe(true)
    }
    server.close()
  })

  test('the server says "not now"', async () => {
    const { sql } = db
    const error = (query: PromiseLike<unknown>) =>
      query.then(
        () => null,
        (thrown: unknown) => thrown,
      )
    const raise = (code: string) =>
      error(sql.unsafe(`do $$ begin raise exception using errcode = '${code}'; end $$`))
    for (const code of [
      '08006',
      '53100',
      '53300',
      '57014',
      '57P01',
      '57P03',
      '25006',
      '58030',
      '40001',
      '40P01',
    ]) {
      expect(isDatabaseAway(await raise(code)), code).toBe(true)
    }
    const readOnly = sql.begin('read only', (transaction) => transaction`insert into people values ('a')`)
    expect(await error(readOnly)).toSatisfy(isDatabaseAway)
    const slow = sql.begin(async (transaction) => {
      await transaction`set local statement_timeout = 10`
      await transaction`select pg_sleep(5)`
    })
    expect(await error(slow)).toSatisfy(isDatabaseAway)
    expect(await error(withDeadline(sql`select pg_sleep(0.2)`, 20))).toSatisfy(isDatabaseAway)
    expect(await error(sql`select pg_terminate_backend(pg_backend_pid())`)).toSatisfy(isDatabaseAway)
  })
})

describe('a mistake of ours', () => {
  test.each(['select * from nowhere', 'selec', 'select 1/0', "insert into people values ('no')"])(
    '%s',
    async (statement) => {
      const error = await db.sql.unsafe(statement).catch((thrown: unknown) => thrown)
      expect(error).toBeInstanceOf(Error)
      expect(isDatabaseAway(error)).toBe(false)
    },
  )

  test('and whatever else is thrown', () => {
    const missing = Object.assign(new Error('a blob'), { code: 'ENOENT' })
    for (const thrown of [new TypeError('x'), missing, null, undefined, 'text', { code: 5 }]) {
      expect(isDatabaseAway(thrown)).toBe(false)
    }
  })

  test('is described for the log without the row it was about', async () => {
    await db.sql`insert into people values ('canary')`
    const error = await db.sql`insert into people values ('canary')`.catch((thrown: unknown) => thrown)
    expect(describeDatabaseError(error)).toEqual({
      code: '23505',
      severity: 'ERROR',
      routine: '_bt_check_unique',
      constraint: 'people_name',
      table: 'people',
    })
    expect(JSON.stringify(describeDatabaseError(error))).not.toContain('canary')
  })
})
