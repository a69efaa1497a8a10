import { afterEach, beforeEach, expect, test } from 'vitest'
import type { TokenJudge } from '../../../src/http/tokens/tokens.ts'
import { type Clock, judgeFor, startClock, statusOf } from './judgement.ts'
import { startTestIssuer, type TestIssuer } from './test-issuer.ts'

const DAY = 24 * 60 * 60 * 1000

let clock: Clock
let issuer: TestIssuer
let judge: TokenJudge

beforeEach(async () => {
  clock = startClock()
  issuer = await startTestIssuer({ now: clock.now })
  judge = judgeFor([issuer.introspection()], clock)
})
afterEach(async () => {
  await judge.close()
  await issuer.close()
})

const active = () => ({ active: true, sub: 'per_ada', exp: Math.floor(clock.now() / 1000) + 3600 })

test('a clock that is put back a day does not keep a token good that is revoked then', async () => {
  issuer.opaque.set('opaque', active())
  expect(await statusOf(judge, 'opaque')).toBe(200)
  clock.forward(-DAY)
  expect(await statusOf(judge, 'opaque')).toBe(200)
  issuer.opaque.set('opaque', { active: false })
  clock.forward(30_000)
  expect(await statusOf(judge, 'opaque')).toBe(401)
})

test('nor does it keep a token refused that was past its time by the clock before', async () => {
  issuer.opaque.set('opaque', active())
  clock.forward(DAY)
  expect(await statusOf(judge, 'opaque')).toBe(401)
  clock.forward(-DAY)
  expect(await statusOf(judge, 'opaque')).toBe(200)
})
