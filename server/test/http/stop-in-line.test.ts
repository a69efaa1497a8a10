import { afterAll, beforeAll, expect, test } from 'vitest'
import { brandOf, startBellhop, type TestBellhop, TICKET } from '../bellhop.ts'
import { headOf, openRaw } from './raw-http.ts'

/** More than may be at work at once. */
const CALLERS = 400

let bellhop: TestBellhop
beforeAll(async () => {
  bellhop = await startBellhop({ brands: (issuer) => [brandOf('acme', issuer)] })
})
afterAll(() => bellhop.stop())

test('a stop while the database keeps nothing resets nobody: who is inside and who waits is told', async () => {
  const other = await startBellhop({ beside: bellhop, brands: (issuer) => [brandOf('acme', issuer)] })
  const gate = Promise.withResolvers<void>()
  const locked = Promise.withResolvers<void>()
  const holding = bellhop.sql.begin(async (sql) => {
    await sql`LOCK TABLE tickets IN EXCLUSIVE MODE`
    locked.resolve()
    await gate.promise
  })
  await locked.promise
  const tokens = await Promise.all(
    Array.from({ length: 8 }, (_, index) => bellhop.issuer.token({ sub: `per_${index}` })),
  )
  const callers = await Promise.all(
    Array.from({ length: CALLERS }, async (_, index) => {
      const connection = await openRaw(other.url)
      const body = JSON.stringify({ ...TICKET, person_id: `per_${index % 8}` })
      const headers = {
        authorization: `Bearer ${tokens[index % 8]}`,
        'content-type': 'application/json',
        'content-length': Buffer.byteLength(body),
      }
      connection.write(headOf('POST', '/v1/support/tickets', headers) + body)
      return connection
    }),
  )
  const answers = callers.map(async (connection) => {
    const { status } = await connection.answer().catch(() => ({ status: 'reset' }))
    return status
  })
  const stopped = other.stop()
  const seen = await Promise.all(answers)
  gate.resolve()
  await holding
  await stopped
  expect([...new Set(seen)]).toEqual([503])
}, 20_000)
