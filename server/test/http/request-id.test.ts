import { afterAll, beforeAll, expect, test } from 'vitest'
import { startBellhop, type TestBellhop } from '../bellhop.ts'
import { headOf, sayRaw } from './raw-http.ts'

let bellhop: TestBellhop
beforeAll(async () => {
  bellhop = await startBellhop()
})
afterAll(() => bellhop.stop())

const TRACE = '0af7651916cd43dd8448eb211c80319c'
const idFor = async (headers: Record<string, string | string[]>) => {
  const answer = await sayRaw(bellhop.url, Buffer.from(headOf('GET', '/healthz', headers), 'latin1'))
  expect(answer.status).toBe(200)
  return answer.headers['x-request-id']
}

test.each([
  ['as it is today', `00-${TRACE}-b7ad6b7169203331-01`],
  ['that is not sampled', `00-${TRACE}-b7ad6b7169203331-00`],
  ['of a later version', `01-${TRACE}-b7ad6b7169203331-01`],
  ['of a later version that says more', `cc-${TRACE}-b7ad6b7169203331-01-what-the-future-holds`],
])("a trace %s goes on: its id is the request's, and stands in the log", async (_what, traceparent) => {
  expect(await idFor({ traceparent })).toBe(TRACE)
  expect(bellhop.logged()).toContain(`"req_id":"${TRACE}"`)
})

test.each<[string, string | string[]]>([
  ['empty', ''],
  ['of version 00 that says more', `00-${TRACE}-b7ad6b7169203331-01-more`],
  ['of the version that is forbidden', `ff-${TRACE}-b7ad6b7169203331-01`],
  ['in capitals', `00-${TRACE.toUpperCase()}-b7ad6b7169203331-01`],
  ['without an id', `00-${'0'.repeat(32)}-b7ad6b7169203331-01`],
  ['without a parent', `00-${TRACE}-${'0'.repeat(16)}-01`],
  ['that is short', `00-${TRACE.slice(1)}-b7ad6b7169203331-01`],
  ['without flags', `00-${TRACE}-b7ad6b7169203331`],
  ['with a header in it', `00-${TRACE}-b7ad6b7169203331-01\tset-cookie: a=b`],
  ['with markup', '00-<script>-b7ad6b7169203331-01'],
  ['in another script', `00-${'\xe9'.repeat(32)}-b7ad6b7169203331-01`],
  ['given twice', [`00-${TRACE}-b7ad6b7169203331-01`, `00-${TRACE}-b7ad6b7169203331-01`]],
])('a trace %s begins anew', async (_what, traceparent) => {
  const id = await idFor({ traceparent })
  expect(id).toMatch(/^[0-9a-f]{32}$/)
  expect(id).not.toBe(TRACE)
})

test('an id that the caller made up is not taken', async () => {
  const id = await idFor({ 'x-request-id': 'mine', 'request-id': 'mine' })
  expect(id).toMatch(/^[0-9a-f]{32}$/)
  expect(bellhop.logged()).not.toContain('mine')
})
