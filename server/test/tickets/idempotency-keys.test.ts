import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type Answer, brandOf, startBellhop, type TestBellhop, TICKET } from '../bellhop.ts'
import { headOf, sayRaw } from '../http/raw-http.ts'
import { startTestIssuer } from '../http/tokens/test-issuer.ts'

const TICKETS = '/v1/support/tickets'
const brands: NonNullable<Parameters<typeof startBellhop>[0]>['brands'] = (issuer) => [
  brandOf('acme', issuer, { trustedClients: ['backend'] }),
  brandOf('globex', issuer),
]

let bellhop: TestBellhop
beforeAll(async () => {
  bellhop = await startBellhop({ brands })
})
afterAll(() => bellhop.stop())

let made = 0
const newKey = () => `key-${++made}`
const withKey = (key: string) => ({ 'idempotency-key': key })
const replayed = (answer: Answer) => answer.headers.get('idempotency-replayed')

describe('the same key is another one', () => {
  const fresh = async (answer: Promise<Answer>) => {
    const { status, headers } = await answer
    expect([status, headers.get('idempotency-replayed')]).toEqual([201, null])
  }

  test('of another person and of another brand', async () => {
    const key = withKey(newKey())
    await fresh(bellhop.file({}, key))
    const authorization = `Bearer ${await bellhop.issuer.token({ sub: 'per_bob' })}`
    await fresh(bellhop.file({ person_id: 'per_bob' }, { ...key, authorization }))
    await fresh(bellhop.file({ brand_id: 'globex' }, key))
  })

  test('of another issuer', async () => {
    const issuer = await startTestIssuer()
    await issuer.newKey()
    const other = await startBellhop({ brands, beside: { ...bellhop, issuer } })
    const key = withKey(newKey())
    await fresh(bellhop.file({}, key))
    await fresh(other.file({}, key))
    await other.stop()
    await issuer.close()
  })

  test('in another case', async () => {
    await fresh(bellhop.file({}, withKey('Case')))
    await fresh(bellhop.file({}, withKey('case')))
  })

  test('of a person with a name of 100,000 characters', async () => {
    const authorization = `Bearer ${await bellhop.issuer.token({ sub: undefined, client_id: 'backend' })}`
    const key = { ...withKey(newKey()), authorization }
    const person_id = 'p'.repeat(100_000)
    const first = await bellhop.file({ person_id }, key)
    await fresh(Promise.resolve(first))
    expect((await bellhop.file({ person_id }, key)).body).toEqual(first.body)
    await fresh(bellhop.file({ person_id: `${person_id}q` }, key))
  })
})

describe('the form of a key', () => {
  test.each([
    ['of one character', 'k'],
    ['of 255', 'k'.repeat(255)],
    [
      'of every visible character',
      Array.from({ length: 94 }, (_, i) => String.fromCharCode(33 + i)).join(''),
    ],
  ])('%s is good', async (_what, key) => {
    expect((await bellhop.file({}, withKey(key))).status).toBe(201)
    expect(replayed(await bellhop.file({}, withKey(key)))).toBe('true')
  })

  const body = JSON.stringify(TICKET)
  test.each<[string, string | string[]]>([
    ['empty', ''],
    ['of 256 characters', 'k'.repeat(256)],
    ['with a space', 'a b'],
    ['with a tab', 'a\tb'],
    ['with a letter of another script', 'k\xe9y'],
    ['given twice', ['a-key', 'b-key']],
    ['given twice, the same', ['a-key', 'a-key']],
    ['given twice, once empty', ['a-key', '']],
  ])('%s is not', async (_what, key) => {
    const head = headOf('POST', TICKETS, {
      authorization: `Bearer ${await bellhop.issuer.token()}`,
      'content-type': 'application/json',
      'content-length': Buffer.byteLength(body),
      'idempotency-key': key,
    })
    const answer = await sayRaw(bellhop.url, Buffer.from(head + body, 'latin1'))
    expect(answer.body).toEqual({
      error: 'validation_error',
      message: expect.stringContaining('Idempotency-Key'),
    })
    expect(answer.status).toBe(400)
    expect(answer.text).not.toContain('a-key')
  })
})
