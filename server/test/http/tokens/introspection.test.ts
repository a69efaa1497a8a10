import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { TokenJudge } from '../../../src/http/tokens/tokens.ts'
import { type Clock, judgeFor, judgeToken, SHORT, startClock, statusOf } from './judgement.ts'
import { startTestIssuer, type TestIssuer } from './test-issuer.ts'

const SECOND = 1000

describe('an opaque token', () => {
  let clock: Clock
  let issuer: TestIssuer
  let judge: TokenJudge

  const seconds = () => Math.floor(clock.now() / 1000)
  const active = (more: Record<string, unknown> = {}) => ({
    active: true,
    sub: 'per_ada',
    exp: seconds() + 3600,
    ...more,
  })

  beforeEach(async () => {
    clock = startClock()
    issuer = await startTestIssuer({ now: clock.now })
    judge = judgeFor([issuer.introspection()], clock)
  })

  afterEach(async () => {
    await judge.close()
    await issuer.close()
  })

  test('is what its issuer says it is', async () => {
    issuer.opaque.set('opaque', active({ client_id: 'app', scope: 'a b', brand: 'globex' }))
    expect(await judge.judge('Bearer opaque')).toMatchObject({
      issuer: issuer.url,
      subject: 'per_ada',
      clientId: 'app',
      scopes: ['a', 'b'],
      claims: { brand: 'globex' },
    })
  })

  test('is asked about by a form, and by a client that names itself', async () => {
    const own = judgeFor([issuer.introspection({ clientId: 'a:b c', clientSecret: 'päss+%/=' })], clock)
    issuer.opaque.set('a+b/c=', active())
    expect(await statusOf(own, 'a+b/c=')).toBe(200)
    expect(Object.fromEntries(issuer.lastQuestion?.form ?? [])).toEqual({
      token: 'a+b/c=',
      token_type_hint: 'access_token',
    })
    // RFC 6749, section 2.3.1: each half as a form would write it.
    const credentials = Buffer.from('a%3Ab+c:p%C3%A4ss%2B%25%2F%3D').toString('base64')
    expect(issuer.lastQuestion?.authorization).toBe(`Basic ${credentials}`)
    await own.close()
  })

  test('that its issuer does not know is refused, and not asked about again for 10 seconds', async () => {
    expect(await judgeToken(judge, 'unknown')).toMatchObject({ status: 401, reason: 'inactive' })
    clock.forward(10 * SECOND - 1)
    expect(await statusOf(judge, 'unknown')).toBe(401)
    expect(issuer.asked.token).toBe(1)
    issuer.opaque.set('unknown', active())
    clock.forward(1)
    expect(await statusOf(judge, 'unknown')).toBe(200)
  })

  test('that is revoked is refused 30 seconds later', async () => {
    issuer.opaque.set('opaque', active())
    expect(await statusOf(judge, 'opaque')).toBe(200)
    issuer.opaque.delete('opaque')
    clock.forward(30 * SECOND - 1)
    expect(await statusOf(judge, 'opaque')).toBe(200)
    expect(issuer.asked.token).toBe(1)
    clock.forward(1)
    expect(await statusOf(judge, 'opaque')).toBe(401)
  })

  test('is not remembered past its end', async () => {
    issuer.opaque.set('opaque', active({ exp: seconds() + 5 }))
    expect(await statusOf(judge, 'opaque')).toBe(200)
    clock.forward(4 * SECOND)
    expect(await statusOf(judge, 'opaque')).toBe(200)
    expect(issuer.asked.token).toBe(1)
    issuer.opaque.delete('opaque')
    clock.forward(SECOND)
    expect(await statusOf(judge, 'opaque')).toBe(401)
  })

  test.each<[string, () => unknown, string]>([
    ['without an end', () => active({ exp: undefined }), 'claims'],
    ['whose end is a text', () => active({ exp: '9999999999' }), 'claims'],
    ['that has ended', () => active({ exp: seconds() - 31 }), 'expired'],
    ['that begins later', () => active({ nbf: seconds() + 31 }), 'not_yet'],
    ['that begins at a text', () => active({ nbf: '0' }), 'claims'],
    ['of another issuer', () => active({ iss: 'https://other.example' }), 'claims'],
    ['whose person is a number', () => active({ sub: 7 }), 'claims'],
    ['whose person is null', () => active({ sub: null }), 'claims'],
  ])('%s is refused though it is called active', async (_, answer, reason) => {
    issuer.opaque.set('opaque', answer())
    expect(await judgeToken(judge, 'opaque')).toMatchObject({ status: 401, reason })
    expect(await judgeToken(judge, 'opaque')).toMatchObject({ status: 401, reason })
    expect(issuer.asked.token).toBe(1)
  })

  test.each<[string, unknown]>([
    ['a text', { active: 'true', sub: 'per_ada', exp: 9_999_999_999 }],
    ['a number', { active: 1, sub: 'per_ada', exp: 9_999_999_999 }],
    ['missing', { sub: 'per_ada', exp: 9_999_999_999 }],
  ])('whose "active" is %s is neither in nor out, and is asked about again', async (_, answer) => {
    issuer.opaque.set('opaque', answer)
    expect(await statusOf(judge, 'opaque')).toBe(503)
    issuer.opaque.set('opaque', active())
    expect(await statusOf(judge, 'opaque')).toBe(200)
  })

  test('must be for this service where an audience is set', async () => {
    const own = judgeFor([issuer.introspection({ audience: 'bellhop' })], clock)
    issuer.opaque.set('one', active({ aud: 'bellhop' }))
    issuer.opaque.set('list', active({ aud: ['other', 'bellhop'] }))
    issuer.opaque.set('other', active({ aud: 'other' }))
    issuer.opaque.set('none', active())
    expect(await statusOf(own, 'one')).toBe(200)
    expect(await statusOf(own, 'list')).toBe(200)
    expect(await judgeToken(own, 'other')).toMatchObject({ status: 401, reason: 'audience' })
    expect(await judgeToken(own, 'none')).toMatchObject({ status: 401, reason: 'audience' })
    await own.close()
  })

  test('is asked about once by however many come with it', async () => {
    issuer.opaque.set('opaque', active())
    const statuses = await Promise.all(Array.from({ length: 50 }, () => statusOf(judge, 'opaque')))
    expect(new Set(statuses)).toEqual(new Set([200]))
    expect(issuer.asked.token).toBe(1)
  })

  test('is one of twenty at once: the next caller is told to try again, and the twenty are served', async () => {
    const patient = judgeFor([issuer.introspection()], clock, { ...SHORT, idle: 5_000, introspection: 5_000 })
    const tokens = Array.from({ length: 20 }, (_, n) => `opaque-${n}`)
    for (const token of [...tokens, 'next']) issuer.opaque.set(token, active())
    const release = issuer.hold()
    const twenty = tokens.map((token) => statusOf(patient, token))
    const again = statusOf(patient, 'opaque-0')
    expect(await judgeToken(patient, 'next')).toMatchObject({ status: 503, reason: 'too_many_questions' })
    release()
    expect(new Set(await Promise.all([...twenty, again]))).toEqual(new Set([200]))
    expect(issuer.asked.token).toBe(20)
    expect(await statusOf(patient, 'next')).toBe(200)
    await patient.close()
  })
})
