import { afterEach, expect, test } from 'vitest'
import type { Issuer } from '../../../src/config.ts'
import { logIssuers } from '../../../src/http/tokens/issuer-log.ts'
import { createTokenJudge } from '../../../src/http/tokens/tokens.ts'
import { createLog } from '../../../src/log.ts'
import { startBellhop } from '../../bellhop.ts'
import { SHORT, startClock, statusOf } from './judgement.ts'
import { startTestIssuer, type TestIssuer } from './test-issuer.ts'

const open: { close(): Promise<void> }[] = []
afterEach(async () => {
  for (const each of open.splice(0)) await each.close()
})

const ofIssuers = (text: string) =>
  text
    .split('\n')
    .filter((line) => line.includes('"issuer'))
    .map((line): Record<string, unknown> => JSON.parse(line))

async function start(settings: (issuer: TestIssuer) => Issuer) {
  const issuer = await startTestIssuer()
  const clock = startClock()
  const lines: string[] = []
  const log = createLog({ level: 'info', pretty: false, stream: { write: (line) => void lines.push(line) } })
  const judge = createTokenJudge({
    issuers: [settings(issuer)],
    now: clock.now,
    timeouts: SHORT,
    onIssuerCall: logIssuers(log),
  })
  open.push(judge, issuer)
  return { issuer, clock, judge, logged: () => ofIssuers(lines.join('')) }
}

test('an issuer that fails is one line, and one more when it is back, however often it was asked', async () => {
  const { issuer, judge, logged } = await start((issuer) => issuer.introspection())
  for (const token of ['a', 'b', 'c']) expect(await statusOf(judge, token)).toBe(401)
  expect(logged()).toEqual([])
  issuer.mode = 'error'
  for (const token of ['d', 'e', 'f']) expect(await statusOf(judge, token)).toBe(503)
  issuer.mode = 'redirect'
  expect(await statusOf(judge, 'g')).toBe(503)
  issuer.mode = 'well'
  for (const token of ['h', 'i']) expect(await statusOf(judge, token)).toBe(401)
  const of = { issuer: issuer.url, about: 'token' }
  expect(logged()).toMatchObject([
    { event: 'issuer_call_failed', level: 40, ...of, code: 'status', status: 500 },
    { event: 'issuer_answers', level: 30, ...of },
  ])
})

test('one that has its metadata in the other place has no fault; one that has none is told of once', async () => {
  const { issuer, clock, judge, logged } = await start((issuer) =>
    issuer.jwt({ keys: { from: 'discovery' } }),
  )
  issuer.metadata = 'oauth'
  const token = await issuer.token()
  expect(await statusOf(judge, token)).toBe(200)
  expect(logged()).toEqual([])
  issuer.metadata = 'none'
  for (let round = 0; round < 3; round++) {
    clock.forward(700_000)
    await statusOf(judge, await issuer.token({ round }))
  }
  expect(issuer.asked.discovery).toBeGreaterThan(4)
  expect(logged()).toMatchObject([{ event: 'issuer_call_failed', about: 'discovery', status: 404 }])
})

test('the operator reads it in the log of the program', async () => {
  const bellhop = await startBellhop()
  open.push({ close: () => bellhop.stop() })
  bellhop.issuer.mode = 'broken'
  expect((await bellhop.file()).status).toBe(503)
  expect(ofIssuers(bellhop.logged())).toMatchObject([
    { event: 'issuer_call_failed', issuer: bellhop.issuer.url, about: 'keys', code: 'unreachable' },
  ])
})
