import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { ISSUER_TIMEOUTS, type IssuerCall, IssuerCallError } from '../../../src/http/tokens/issuer-call.ts'
import { createTokenJudge, type TokenJudge } from '../../../src/http/tokens/tokens.ts'
import { judgeToken, SHORT, startClock } from './judgement.ts'
import { type IssuerMode, startTestIssuer, type TestIssuer } from './test-issuer.ts'

const BAD: [IssuerMode, string][] = [
  ['silent', 'timeout'],
  ['drip', 'timeout'],
  ['redirect', 'redirect'],
  ['error', 'status'],
  ['not_json', 'not_json'],
  ['array', 'invalid'],
  ['huge', 'too_large'],
  ['broken', 'unreachable'],
]

describe('an issuer that answers badly', () => {
  let issuer: TestIssuer
  let judge: TokenJudge
  let heard: IssuerCall[]

  const judgeWith = (settings: ReturnType<TestIssuer['jwt'] | TestIssuer['introspection']>) =>
    createTokenJudge({
      issuers: [settings],
      now: startClock().now,
      timeouts: SHORT,
      onIssuerCall: (call) => heard.push(call),
    })

  beforeEach(async () => {
    heard = []
    issuer = await startTestIssuer()
    await issuer.newKey()
    judge = judgeWith(issuer.jwt())
  })

  afterEach(async () => {
    await judge.close()
    await issuer.close()
  })

  test('is given less than the 10 seconds that a caller is promised', () => {
    expect(ISSUER_TIMEOUTS.keys).toBeLessThan(10_000)
    expect(ISSUER_TIMEOUTS.introspection).toBeLessThan(10_000)
    expect(ISSUER_TIMEOUTS.connect).toBeLessThan(ISSUER_TIMEOUTS.introspection)
  })

  test.each(BAD)('about its keys (%s) makes the caller try again', async (mode, fault) => {
    issuer.mode = mode
    await expectAway(judge, await issuer.token(), fault)
  })

  test.each(BAD)('in its discovery (%s) makes the caller try again', async (mode, fault) => {
    issuer.mode = mode
    const found = judgeWith(issuer.jwt({ keys: { from: 'discovery' } }))
    await expectAway(found, await issuer.token(), fault)
    await found.close()
  })

  test.each(BAD)('about a token (%s) makes the caller try again', async (mode, fault) => {
    issuer.mode = mode
    issuer.opaque.set('opaque', { active: true, sub: 'per_ada', exp: 9_999_999_999 })
    const asking = judgeWith(issuer.introspection())
    await expectAway(asking, 'opaque', fault)
    expect(heard).toMatchObject([{ issuer: issuer.url, about: 'token', fault }])
    await asking.close()
  })

  test('with a set that has no keys in it at all makes the caller try again', async () => {
    issuer.jwks = JSON.parse('{"keys": {}}')
    await expectAway(judge, await issuer.token(), 'invalid')
  })

  test('or does not listen makes the caller try again, and is well again by itself', async () => {
    const gone = await startTestIssuer()
    const token = await gone.token()
    await gone.close()
    const waiting = judgeWith(gone.jwt())
    await expectAway(waiting, token, 'unreachable')
    await waiting.close()
  })

  test('on a connection that breaks is asked once more', async () => {
    issuer.mode = 'broken_once'
    expect(await judgeToken(judge, await issuer.token())).toMatchObject({ status: 200 })
    expect(issuer.asked.keys).toBe(2)
    expect(heard).toHaveLength(1)
  })

  test('in time is heard of as well as one that is not', async () => {
    expect(await judgeToken(judge, await issuer.token())).toMatchObject({ status: 200 })
    expect(heard).toMatchObject([{ about: 'keys', fault: null, status: 200 }])
    expect(heard[0]?.milliseconds).toBeGreaterThan(0)
  })

  test('is not waited for once the server stops', async () => {
    const patient = createTokenJudge({ issuers: [issuer.jwt()], now: Date.now })
    issuer.mode = 'silent'
    const judgement = judgeToken(patient, await issuer.token())
    await expect.poll(() => issuer.asked.keys).toBe(1)
    await patient.close()
    expect(await judgement).toMatchObject({ status: 503, reason: { fault: 'unreachable' } })
  })
})

async function expectAway(judge: TokenJudge, token: string, fault: string): Promise<void> {
  const startedAt = performance.now()
  const judgement = await judgeToken(judge, token)
  expect(judgement.status).toBe(503)
  expect(judgement.reason).toBeInstanceOf(IssuerCallError)
  expect(judgement.reason).toMatchObject({ fault })
  expect(performance.now() - startedAt).toBeLessThan(3_000)
}
