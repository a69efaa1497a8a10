import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { SigningAlgorithm } from '../../../src/config.ts'
import type { TokenJudge } from '../../../src/http/tokens/tokens.ts'
import { judgeFor, judgeToken, startClock } from './judgement.ts'
import { makeKey, startTestIssuer, type TestIssuer } from './test-issuer.ts'

const clock = startClock()
const seconds = () => Math.floor(clock.now() / 1000)
let issuer: TestIssuer
let judge: TokenJudge

beforeAll(async () => {
  issuer = await startTestIssuer({ now: clock.now })
  judge = judgeFor([issuer.jwt()], clock)
})

afterAll(async () => {
  await judge.close()
  await issuer.close()
})

describe('a token that holds', () => {
  test.each<SigningAlgorithm>([
    'ES256',
    'ES384',
    'ES512',
    'RS256',
    'RS384',
    'RS512',
    'PS256',
    'PS384',
    'PS512',
    'EdDSA',
  ])('is signed with %s, where its issuer may use it', async (alg) => {
    const signer = await makeKey(alg, `kid-${alg}`)
    const settings = issuer.jwt({
      algorithms: [alg],
      keys: { from: 'file', jwks: { keys: [{ ...signer.publicJwk }] } },
    })
    const own = judgeFor([settings], clock)
    expect(await judgeToken(own, await issuer.token({}, { key: signer }))).toMatchObject({ status: 200 })
    const other = judgeFor([{ ...settings, algorithms: [alg === 'ES256' ? 'RS256' : 'ES256'] }], clock)
    const judgement = await judgeToken(other, await issuer.token({}, { key: signer }))
    expect(judgement).toMatchObject({ status: 401, reason: 'header' })
    await own.close()
    await other.close()
  })

  test('says who is calling', async () => {
    const token = await issuer.token({ client_id: 'app', scope: 'read write', brand: 'acme' })
    const caller = await judge.judge(`Bearer ${token}`)
    expect(caller).toMatchObject({
      issuer: issuer.url,
      subject: 'per_ada',
      clientId: 'app',
      scopes: ['read', 'write'],
      claims: { brand: 'acme' },
    })
    expect(Object.isFrozen(caller.claims)).toBe(true)
  })

  test('may list its scopes, and has none where it says something else', async () => {
    const scopesOf = async (scope: unknown) =>
      (await judge.judge(`Bearer ${await issuer.token({ scope })}`)).scopes
    expect(await scopesOf(['a', 'b', 7])).toEqual(['a', 'b'])
    expect(await scopesOf('  a  b ')).toEqual(['a', 'b'])
    expect(await scopesOf({ a: true })).toEqual([])
    expect(await scopesOf(undefined)).toEqual([])
  })

  test('may be without a user', async () => {
    const caller = await judge.judge(`Bearer ${await issuer.token({ sub: undefined, client_id: 'backend' })}`)
    expect(caller).toMatchObject({ subject: null, clientId: 'backend' })
  })

  test.each(['JWT', 'jwt', 'at+jwt', 'AT+JWT', 'application/at+jwt', 'application/JWT'])(
    'may be of type %s',
    async (typ) => {
      expect(await judgeToken(judge, await issuer.token({}, { header: { typ } }))).toMatchObject({
        status: 200,
      })
    },
  )

  test('may have several audiences', async () => {
    expect(await judgeToken(judge, await issuer.token({ aud: ['x', 'bellhop'] }))).toMatchObject({
      status: 200,
    })
  })

  test('may come from a clock that is 29 seconds off', async () => {
    const late = await issuer.token({ exp: seconds() - 29 })
    const early = await issuer.token({ nbf: seconds() + 29 })
    expect(await judgeToken(judge, late)).toMatchObject({ status: 200 })
    expect(await judgeToken(judge, early)).toMatchObject({ status: 200 })
  })
})

describe('a token whose claims are not as they should be', () => {
  test.each<[string, () => Record<string, unknown>, string]>([
    ['is for someone else', () => ({ aud: 'elsewhere' }), 'audience'],
    ['is for a longer name', () => ({ aud: 'bellhop2' }), 'audience'],
    ['is for nobody', () => ({ aud: undefined }), 'audience'],
    ['has an object as its audience', () => ({ aud: { bellhop: true } }), 'audience'],
    ['has expired', () => ({ exp: seconds() - 31 }), 'expired'],
    ['never expires', () => ({ exp: undefined }), 'claims'],
    ['expires at a text', () => ({ exp: String(seconds() + 60) }), 'claims'],
    ['expires at null', () => ({ exp: null }), 'claims'],
    ['holds only later', () => ({ nbf: seconds() + 31 }), 'not_yet'],
    ['holds from a text on', () => ({ nbf: 'now' }), 'claims'],
    ['has a number as its person', () => ({ sub: 7 }), 'claims'],
    ['has null as its person', () => ({ sub: null }), 'claims'],
    ['has nothing as its person', () => ({ sub: '' }), 'claims'],
    ['has a list as its client', () => ({ client_id: ['app'] }), 'claims'],
    ['is from a stranger', () => ({ iss: 'https://stranger.example' }), 'unknown_issuer'],
    ['is from the issuer with a slash', () => ({ iss: `${issuer.url}/` }), 'unknown_issuer'],
    ['is from a list of issuers', () => ({ iss: [issuer.url] }), 'unknown_issuer'],
    ['is from nobody', () => ({ iss: undefined }), 'unknown_issuer'],
  ])('%s', async (_, wrong, reason) => {
    const judgement = await judgeToken(judge, await issuer.token(wrong()))
    expect(judgement).toMatchObject({ status: 401, reason })
    expect(judgement.challenge).toContain('error="invalid_token"')
  })
})
