import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { createTokenJudge, type TokenJudge } from '../../../src/http/tokens/tokens.ts'
import { type Clock, judgeFor, SHORT, startClock, statusOf } from './judgement.ts'
import { makeKey, type SigningKey, startTestIssuer, type TestIssuer } from './test-issuer.ts'

const SECOND = 1000
const MINUTE = 60 * SECOND
const HOUR = 60 * MINUTE

describe('the keys of an issuer that is away', () => {
  let clock: Clock
  let issuer: TestIssuer
  let judge: TokenJudge
  let key: SigningKey
  let serial = 0

  /** A token that has not been seen before. */
  const fresh = (signer: SigningKey = key) => {
    serial += 1
    return issuer.token({ jti: String(serial), exp: Math.floor(clock.now() / 1000) + 3600 }, { key: signer })
  }

  beforeEach(async () => {
    clock = startClock()
    issuer = await startTestIssuer({ now: clock.now })
    key = await issuer.newKey()
    judge = judgeFor([issuer.jwt()], clock)
  })

  afterEach(async () => {
    await judge.close()
    await issuer.close()
  })

  test('go on working for a day while the issuer is away', async () => {
    expect(await statusOf(judge, await fresh())).toBe(200)
    issuer.mode = 'error'
    for (const away of [6 * MINUTE, 10 * MINUTE, HOUR, 22 * HOUR]) {
      clock.forward(away)
      expect(await statusOf(judge, await fresh())).toBe(200)
    }
    clock.forward(HOUR)
    expect(await statusOf(judge, await fresh())).toBe(503)
    issuer.mode = 'well'
    clock.forward(2 * SECOND)
    expect(await statusOf(judge, await fresh())).toBe(200)
  })

  test('do not keep anyone waiting while the issuer is known to be silent', async () => {
    const faults: unknown[] = []
    const timeouts = { ...SHORT, idle: 200, keys: 200 }
    const onIssuerCall = ({ fault }: { fault: unknown }) => faults.push(fault)
    const patient = createTokenJudge({ issuers: [issuer.jwt()], now: clock.now, timeouts, onIssuerCall })
    await statusOf(patient, await fresh())
    issuer.mode = 'silent'
    clock.forward(9 * MINUTE + 30 * SECOND)
    expect(await statusOf(patient, await fresh())).toBe(200)
    await expect.poll(() => faults).toEqual([null, 'timeout'])
    clock.forward(40 * SECOND)
    expect(await statusOf(patient, await fresh())).toBe(200)
    expect(faults, 'the token did not wait for the end of the next question').toHaveLength(2)
    await expect.poll(() => issuer.asked.keys).toBe(3)
    await expect.poll(() => faults).toHaveLength(3)
    for (let n = 0; n < 20; n += 1) expect(await statusOf(patient, await fresh())).toBe(200)
    expect(issuer.asked.keys, 'and it is left alone for a while').toBe(3)
    await patient.close()
  })

  test('that a token names and nobody can be asked about: neither yes nor no', async () => {
    await statusOf(judge, await fresh())
    issuer.mode = 'error'
    const added = await issuer.newKey()
    expect(await statusOf(judge, await fresh(added))).toBe(503)
    clock.forward(SECOND)
    expect(await statusOf(judge, await fresh(added)), 'while the issuer rests').toBe(503)
    const forged = await makeKey('ES256', key.kid)
    expect(await statusOf(judge, await fresh(forged)), 'a known key tells').toBe(401)
    issuer.mode = 'well'
    clock.forward(25 * SECOND)
    expect(await statusOf(judge, await fresh(added))).toBe(200)
  })

  test('are asked for once only by one token, so that it is answered in time', async () => {
    await statusOf(judge, await fresh())
    issuer.mode = 'error'
    clock.forward(HOUR)
    expect(await statusOf(judge, await fresh(await issuer.newKey()))).toBe(503)
    expect(issuer.asked.keys).toBe(2)
  })

  test('are asked for at most once a second while there are none', async () => {
    issuer.mode = 'error'
    for (let n = 0; n < 10; n += 1) expect(await statusOf(judge, await fresh())).toBe(503)
    expect(issuer.asked.keys).toBe(1)
    clock.forward(SECOND)
    issuer.mode = 'well'
    expect(await statusOf(judge, await fresh())).toBe(200)
  })
})
