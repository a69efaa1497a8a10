import { createHmac } from 'node:crypto'
import fc from 'fast-check'
import { CompactEncrypt, exportSPKI, generateKeyPair, importJWK } from 'jose'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { TokenJudge } from '../../../src/http/tokens/tokens.ts'
import { judgeFor, judgeToken, startClock } from './judgement.ts'
import { makeKey, type SigningKey, startTestIssuer, type TestIssuer } from './test-issuer.ts'

const clock = startClock()
let issuer: TestIssuer
let judge: TokenJudge
let key: SigningKey

beforeAll(async () => {
  issuer = await startTestIssuer({ now: clock.now })
  key = await issuer.newKey('ES256')
  judge = judgeFor([issuer.jwt()], clock)
})

afterAll(async () => {
  await judge.close()
  await issuer.close()
})

const part = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url')
const claims = () => ({
  iss: issuer.url,
  aud: 'bellhop',
  sub: 'per_ada',
  exp: Math.floor(clock.now() / 1000) + 3600,
})

/** A token by hand, where a library would refuse to make it. */
function unsigned(header: Record<string, unknown>, payload: unknown = claims()): string {
  return `${part(header)}.${part(payload)}.`
}

describe('a token that is forged', () => {
  test('is signed with nothing', async () => {
    for (const alg of ['none', 'None', 'NONE', '']) {
      expect(await judgeToken(judge, unsigned({ alg })), alg).toMatchObject({ status: 401, reason: 'header' })
    }
  })

  test('is signed by HMAC with the public key as the secret', async () => {
    const publicKey = await importJWK(key.publicJwk, 'ES256', { extractable: true })
    if (publicKey instanceof Uint8Array) throw new Error('expected a public key')
    const secrets = [await exportSPKI(publicKey), JSON.stringify(key.publicJwk), '']
    for (const secret of secrets) {
      const input = `${part({ alg: 'HS256', kid: key.kid })}.${part(claims())}`
      const forged = `${input}.${createHmac('sha256', secret).update(input).digest('base64url')}`
      expect(await judgeToken(judge, forged)).toMatchObject({ status: 401, reason: 'header' })
    }
  })

  test('is signed by a symmetric key that the issuer has published, or by a key for another use', async () => {
    const secret = Buffer.from('0123456789abcdef0123456789abcdef')
    const oct = { kty: 'oct', kid: 'oct', k: secret.toString('base64url') }
    const forEncryption = await makeKey('ES256', 'enc')
    const forOther = await makeKey('ES256', 'other')
    const keys = [
      oct,
      { ...forEncryption.publicJwk, use: 'enc' },
      { ...forOther.publicJwk, alg: 'ES384' },
      null,
      7,
    ]
    const members = keys
      .filter((each) => each !== null && typeof each === 'object')
      .map((each) => ({ ...each }))
    const own = judgeFor([issuer.jwt({ keys: { from: 'file', jwks: { keys: members } } })], clock)
    const input = `${part({ alg: 'ES256', kid: 'oct' })}.${part(claims())}`
    const forged = `${input}.${createHmac('sha256', secret).update(input).digest('base64url')}`
    for (const token of [
      forged,
      await issuer.token({}, { key: forEncryption }),
      await issuer.token({}, { key: forOther }),
    ]) {
      expect(await judgeToken(own, token)).toMatchObject({ status: 401, reason: 'signature' })
    }
    await own.close()
  })

  test('brings its own key, or says where it is', async () => {
    const own = await makeKey('ES256', key.kid)
    const elsewhere = await startTestIssuer()
    elsewhere.jwks.keys.push(own.publicJwk)
    const jku = `${elsewhere.url}/jwks`
    for (const header of [{ jwk: own.publicJwk }, { jku }, { x5u: jku }, { x5c: ['AAAA'] }]) {
      const forged = await issuer.token({}, { key: own, header })
      expect(await judgeToken(judge, forged)).toMatchObject({ status: 401, reason: 'signature' })
      const good = await issuer.token({ jti: JSON.stringify(header) }, { key, header })
      expect(await judgeToken(judge, good), 'and it harms no good one').toMatchObject({ status: 200 })
    }
    expect(elsewhere.asked.keys).toBe(0)
    await elsewhere.close()
  })

  test('asks for extensions that must be understood', async () => {
    for (const header of [
      { crit: ['b64'], b64: true },
      { crit: ['exp'], exp: 1 },
      { crit: [] },
      { crit: null },
    ]) {
      expect(await judgeToken(judge, unsigned({ alg: 'ES256', kid: key.kid, ...header }))).toMatchObject({
        status: 401,
        reason: 'header',
      })
    }
  })

  test('is of another type', async () => {
    for (const typ of ['dpop+jwt', 'logout+jwt', 'JOSE', '', 7, null, 'x/at+jwt']) {
      const judgement = await judgeToken(judge, await issuer.token({}, { header: { typ } }))
      expect(judgement, String(typ)).toMatchObject({ status: 401, reason: 'header' })
    }
  })

  test('was changed after it was signed', async () => {
    const [header = '', payload = '', signature = ''] = (await issuer.token()).split('.')
    const mallory = part({ ...claims(), sub: 'per_mallory' })
    const judgement = await judgeToken(judge, `${header}.${mallory}.${signature}`)
    expect(judgement).toMatchObject({ status: 401, reason: 'signature' })
    expect(await judgeToken(judge, `${header}.${payload}.`)).toMatchObject({
      status: 401,
      reason: 'signature',
    })
  })

  test('is encrypted', async () => {
    const { publicKey } = await generateKeyPair('RSA-OAEP-256')
    const jwe = await new CompactEncrypt(Buffer.from(JSON.stringify(claims())))
      .setProtectedHeader({ alg: 'RSA-OAEP-256', enc: 'A256GCM' })
      .encrypt(publicKey)
    expect(await judgeToken(judge, jwe)).toMatchObject({ status: 401, reason: 'encrypted' })
  })

  test('is nothing at all', async () => {
    const object = part({ alg: 'ES256' })
    const garbage = [
      '.',
      '..',
      '...',
      '....',
      'a.b.c',
      `${object}..`,
      `${object}.${part(7)}.x`,
      `${part([])}.a.b`,
      '~',
      'null',
    ]
    for (const token of [...garbage, `${object}.${part({ iss: issuer.url })}.~~~~`]) {
      expect(await judgeToken(judge, token), token).toMatchObject({ status: 401 })
    }
  })

  test('is anything that a hostile mind may write', async () => {
    const segment = fc.oneof(
      fc.jsonValue().map(part),
      fc.base64String(),
      fc.stringMatching(/^[\w~+/-]{0,20}$/),
    )
    const header = fc.record({
      alg: fc.constantFrom<unknown>('ES256', 'none', 7),
      kid: fc.constantFrom<unknown>(key.kid, 1),
    })
    const payload = fc.jsonValue().map((extra) => part({ ...claims(), extra }))
    const tokens = fc.oneof(
      fc.array(segment, { maxLength: 6 }).map((parts) => parts.join('.')),
      fc.tuple(header.map(part), payload, segment).map((parts) => parts.join('.')),
      fc.string({ unit: 'binary' }),
    )
    await fc.assert(
      fc.asyncProperty(tokens, async (token) => {
        expect(await judgeToken(judge, token)).toMatchObject({ status: 401 })
      }),
      { numRuns: 300 },
    )
  })
})
