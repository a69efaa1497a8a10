import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { TokenJudge } from '../../../src/http/tokens/tokens.ts'
import { type Clock, judgeFor, judgeToken, startClock, statusOf } from './judgement.ts'
import { makeKey, type SigningKey, startTestIssuer, type TestIssuer } from './test-issuer.ts'

const SECOND = 1000
const MINUTE = 60 * SECOND

describe("an issuer's keys", () => {
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

  /** Waits until a question behind an answer has come and been answered. */
  const untilAsked = (times: number) => expect.poll(() => issuer.asked.keys).toBe(times)

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

  test('are asked for once, by however many come at first', async () => {
    const tokens = await Promise.all(Array.from({ length: 30 }, () => fresh()))
    const statuses = await Promise.all(tokens.map((token) => statusOf(judge, token)))
    expect(new Set(statuses)).toEqual(new Set([200]))
    expect(issuer.asked.keys).toBe(1)
  })

  test('are not asked for before a token needs them', async () => {
    await judgeToken(judge, 'a.b.c')
    expect(issuer.asked.keys).toBe(0)
  })

  test('may change at any time: a new one is known at once', async () => {
    expect(await statusOf(judge, await fresh())).toBe(200)
    const added = await issuer.newKey()
    expect(await statusOf(judge, await fresh(added))).toBe(200)
    expect(await statusOf(judge, await fresh(key))).toBe(200)
  })

  test('may change again and again: each is known within 60 seconds', async () => {
    expect(await statusOf(judge, await fresh())).toBe(200)
    for (let round = 0; round < 3; round += 1) {
      const added = await issuer.newKey()
      await statusOf(judge, await fresh(added))
      clock.forward(30 * SECOND)
      expect(await statusOf(judge, await fresh(added))).toBe(200)
    }
  })

  test.each(['same', undefined])('may take the place of another with the same kid (%s)', async (kid) => {
    const [old, next] = [await makeKey('ES256', 'same'), await makeKey('ES256', 'same')]
    const publish = ({ publicJwk: { kid: _, ...rest } }: SigningKey) => {
      issuer.jwks.keys = [kid === undefined ? rest : { ...rest, kid }]
    }
    const by = (signer: SigningKey) => {
      serial += 1
      return issuer.token({ jti: String(serial) }, { key: signer, header: { kid } })
    }
    publish(old)
    expect(await statusOf(judge, await by(old))).toBe(200)
    publish(next)
    expect(await statusOf(judge, await by(next))).toBe(200)
    expect(await statusOf(judge, await by(old))).toBe(401)
  })

  test('need no kid, where several fit', async () => {
    const second = await issuer.newKey()
    const token = await issuer.token({}, { key: second, header: { kid: undefined } })
    expect(await statusOf(judge, token)).toBe(200)
    const stranger = await makeKey('ES256', 'x')
    expect(await statusOf(judge, await issuer.token({}, { key: stranger, header: { kid: undefined } }))).toBe(
      401,
    )
  })

  test('that are unknown, sixty at once, cost the issuer two questions', async () => {
    const stranger = await makeKey('ES256', 'stranger')
    const tokens = await Promise.all(
      Array.from({ length: 60 }, (_, n) =>
        issuer.token({}, { key: stranger, header: { kid: `unknown-${n}` } }),
      ),
    )
    await statusOf(judge, await fresh())
    const statuses = await Promise.all(tokens.map((token) => statusOf(judge, token)))
    expect(new Set(statuses)).toEqual(new Set([401]))
    expect(issuer.asked.keys).toBe(2)
  })

  test('that are unknown, one a second for a minute, cost it five questions at most', async () => {
    const found = judgeFor([issuer.jwt({ keys: { from: 'discovery' } })], clock)
    await statusOf(found, await fresh())
    const stranger = await makeKey('ES256', 'stranger')
    for (let n = 0; n < 60; n += 1) {
      clock.forward(SECOND)
      const token = await issuer.token({}, { key: stranger, header: { kid: `unknown-${n}` } })
      expect(await statusOf(found, token)).toBe(401)
    }
    expect(issuer.asked.keys).toBeGreaterThan(1)
    expect(issuer.asked.keys + issuer.asked.discovery).toBeLessThanOrEqual(5)
    await found.close()
  })

  test('are asked for again behind a token when they are five minutes old', async () => {
    await statusOf(judge, await fresh())
    clock.forward(5 * MINUTE - SECOND)
    await statusOf(judge, await fresh())
    expect(issuer.asked.keys).toBe(1)
    clock.forward(SECOND)
    const release = issuer.hold()
    expect(await statusOf(judge, await fresh()), 'nobody waits').toBe(200)
    release()
    await untilAsked(2)
  })

  test('that were taken back let nobody in, not even who was let in just now', async () => {
    const old = key
    const token = await fresh(old)
    expect(await statusOf(judge, token)).toBe(200)
    const next = await issuer.newKey()
    issuer.jwks.keys = [next.publicJwk]
    expect(await statusOf(judge, token), 'not yet known').toBe(200)
    expect(await statusOf(judge, await fresh(next))).toBe(200)
    expect(await statusOf(judge, token)).toBe(401)
  })

  test('that were taken back in a quiet night let nobody in the next morning', async () => {
    const token = await fresh()
    expect(await statusOf(judge, token)).toBe(200)
    issuer.jwks.keys = []
    clock.forward(30 * MINUTE)
    expect(await statusOf(judge, token)).toBe(401)
  })

  test('are kept with what they have verified where they have not changed', async () => {
    const token = await fresh()
    await statusOf(judge, token)
    clock.forward(5 * MINUTE)
    await statusOf(judge, await fresh())
    await untilAsked(2)
    const caller = await judge.judge(`Bearer ${token}`)
    expect(judge.judge(`Bearer ${token}`), 'remembered, so no promise').toBe(caller)
  })

  test('that are not among the first that come are not asked for twice', async () => {
    expect(await statusOf(judge, await fresh(await makeKey('ES256', 'x')))).toBe(401)
    expect(issuer.asked.keys).toBe(1)
  })

  test('may hold one that makes no sense, and the others work', async () => {
    const odd: unknown[] = [
      { kty: 'EC', kid: 'odd' },
      { kty: 'oct', k: 'AAAA' },
      {},
      { kty: 7 },
      null,
      'key',
      [],
    ]
    issuer.jwks.keys = [...odd.map((each) => each as typeof key.publicJwk), key.publicJwk]
    expect(await statusOf(judge, await fresh())).toBe(200)
    const nonsense = await issuer.token({}, { header: { kid: 'odd' } })
    expect(await statusOf(judge, nonsense)).toBe(401)
  })

  test('from a file are what they are', async () => {
    const fixed = judgeFor(
      [issuer.jwt({ keys: { from: 'file', jwks: { keys: [{ ...key.publicJwk }] } } })],
      clock,
    )
    expect(await statusOf(fixed, await fresh())).toBe(200)
    expect(await statusOf(fixed, await fresh(await issuer.newKey()))).toBe(401)
    expect(issuer.asked.keys).toBe(0)
    await fixed.close()
  })
})
