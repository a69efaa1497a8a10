import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { type Clock, judgeFor, judgeToken, startClock, statusOf } from './judgement.ts'
import { makeKey, startTestIssuer, type TestIssuer } from './test-issuer.ts'

let clock: Clock
let login: TestIssuer
let idp: TestIssuer
const judges: { close(): Promise<void> }[] = []

const judgeOf = (...issuers: Parameters<typeof judgeFor>[0]) => {
  const judge = judgeFor(issuers, clock)
  judges.push(judge)
  return judge
}
const active = () => ({ active: true, sub: 'per_ada', exp: Math.floor(clock.now() / 1000) + 3600 })

beforeEach(async () => {
  clock = startClock()
  login = await startTestIssuer({ now: clock.now })
  idp = await startTestIssuer({ now: clock.now })
})

afterEach(async () => {
  for (const judge of judges.splice(0)) await judge.close()
  await login.close()
  await idp.close()
})

describe('which issuer is asked', () => {
  test('two kinds live side by side', async () => {
    const judge = judgeOf(login.jwt(), idp.introspection())
    idp.opaque.set('opaque', active())
    expect(await judge.judge(`Bearer ${await login.token()}`)).toMatchObject({ issuer: login.url })
    expect(await judge.judge('Bearer opaque')).toMatchObject({ issuer: idp.url })
  })

  test('a signed token of a stranger is shown to nobody', async () => {
    const judge = judgeOf(login.jwt(), idp.introspection())
    const token = await login.token({ iss: 'https://stranger.example' })
    idp.opaque.set(token, active())
    expect(await judgeToken(judge, token)).toMatchObject({ status: 401, reason: 'unknown_issuer' })
    expect(idp.asked.token + login.asked.keys).toBe(0)
  })

  test("one issuer's key signs for that issuer alone", async () => {
    const judge = judgeOf(login.jwt(), idp.jwt())
    const stolen = await login.newKey()
    await idp.newKey()
    const token = await login.token({ iss: idp.url }, { key: stolen })
    expect(await statusOf(judge, token)).toBe(401)
  })

  test('an issuer that introspects is asked about its tokens even where they are signed', async () => {
    const judge = judgeOf(login.jwt(), idp.introspection({ tokenPrefix: 'gbx_' }))
    const token = await idp.token()
    expect(await judgeToken(judge, token)).toMatchObject({ status: 401, reason: 'inactive' })
    clock.forward(10_000)
    idp.opaque.set(token, active())
    expect(await statusOf(judge, token)).toBe(200)
    expect(idp.asked).toMatchObject({ keys: 0, token: 2 })
  })

  test('an opaque token goes to the issuer whose prefix it has, the longest first', async () => {
    const judge = judgeOf(
      login.introspection({ tokenPrefix: 'a_' }),
      idp.introspection({ tokenPrefix: 'a_b_' }),
    )
    login.opaque.set('a_1', active())
    idp.opaque.set('a_b_1', active())
    expect(await judge.judge('Bearer a_1')).toMatchObject({ issuer: login.url })
    expect(await judge.judge('Bearer a_b_1')).toMatchObject({ issuer: idp.url })
    expect(await judgeToken(judge, 'c_1')).toMatchObject({ status: 401, reason: 'unknown_issuer' })
    expect([login.asked.token, idp.asked.token]).toEqual([1, 1])
  })

  test('a prefix holds where there is one issuer, too', async () => {
    const judge = judgeOf(idp.introspection({ tokenPrefix: 'gbx_' }))
    idp.opaque.set('other', active())
    expect(await judgeToken(judge, 'other')).toMatchObject({ status: 401, reason: 'unknown_issuer' })
    expect(idp.asked.token).toBe(0)
  })

  test('an opaque token may have dots in it', async () => {
    const judge = judgeOf(login.jwt(), idp.introspection({ tokenPrefix: 'gbx_' }))
    for (const token of ['gbx_a.b.c', 'gbx_a.b.c.d.e', 'gbx_a.b']) {
      idp.opaque.set(token, active())
      expect(await statusOf(judge, token), token).toBe(200)
    }
  })

  test('where nobody introspects an opaque token is refused', async () => {
    expect(await judgeToken(judgeOf(login.jwt()), 'opaque')).toMatchObject({
      status: 401,
      reason: 'unknown_issuer',
    })
    expect(await judgeToken(judgeOf(), await login.token())).toMatchObject({
      status: 401,
      reason: 'unknown_issuer',
    })
  })
})

describe('a token that has held', () => {
  test('is answered at once, and the same caller comes back', async () => {
    const judge = judgeOf(login.jwt())
    const token = await login.token()
    const first = judge.judge(`Bearer ${token}`)
    expect(first).toBeInstanceOf(Promise)
    expect(judge.judge(`Bearer ${token}`), 'two at once are one').toBe(first)
    expect(judge.judge(`Bearer ${token}`)).toBe(first)
    const caller = await first
    expect(judge.judge(`bearer  ${token}`)).toBe(caller)
  })

  test('is looked at again after a minute', async () => {
    const judge = judgeOf(login.jwt())
    const token = await login.token()
    const caller = await judge.judge(`Bearer ${token}`)
    clock.forward(59_999)
    expect(judge.judge(`Bearer ${token}`)).toBe(caller)
    clock.forward(1)
    expect(judge.judge(`Bearer ${token}`)).toBeInstanceOf(Promise)
  })

  test('is never remembered past its end', async () => {
    const judge = judgeOf(login.jwt())
    const end = Math.floor(clock.now() / 1000) + 10
    const token = await login.token({ exp: end })
    const caller = await judge.judge(`Bearer ${token}`)
    clock.forward(end * 1000 - 1 - clock.now())
    expect(judge.judge(`Bearer ${token}`)).toBe(caller)
    clock.forward(1)
    expect(judge.judge(`Bearer ${token}`), 'within the tolerance it is verified each time').toBeInstanceOf(
      Promise,
    )
    expect(await statusOf(judge, token)).toBe(200)
    expect(judge.judge(`Bearer ${token}`)).toBeInstanceOf(Promise)
    clock.forward(30_000)
    expect(await judgeToken(judge, token)).toMatchObject({ status: 401, reason: 'expired' })
  })

  test('makes no way for one that is refused', async () => {
    const judge = judgeOf(login.jwt())
    const forged = await login.token({}, { key: await makeKey('ES256', 'x') })
    expect(await statusOf(judge, forged)).toBe(401)
    expect(await statusOf(judge, forged)).toBe(401)
  })
})

describe('what the operator is told of an issuer', () => {
  test('that is well', async () => {
    await login.newKey()
    const signed = await makeKey('ES256', 'x')
    const file = { ...login.jwt({ keys: { from: 'file', jwks: { keys: [{ ...signed.publicJwk }] } } }) }
    expect(await judgeOf(login.jwt()).verify(login.url)).toEqual({ ok: true, detail: 'keys: 1, for ES256' })
    expect(await judgeOf(file).verify(login.url)).toEqual({ ok: true, detail: 'keys: 1, for ES256' })
    expect(await judgeOf(login.jwt({ keys: { from: 'discovery' } })).verify(login.url)).toMatchObject({
      ok: true,
    })
    expect(await judgeOf(idp.introspection({ tokenPrefix: 'gbx_' })).verify(idp.url)).toMatchObject({
      ok: true,
    })
    expect(idp.lastQuestion?.form.get('token')).toMatch(/^gbx_[0-9a-f]{64}$/)
  })

  test('that has no key for the algorithms', async () => {
    await login.newKey('ES256')
    const verdict = await judgeOf(login.jwt({ algorithms: ['RS256'] })).verify(login.url)
    expect(verdict).toMatchObject({
      ok: false,
      detail: expect.stringContaining('none for RS256; set algorithms'),
    })
  })

  test('whose keys are not public ones', async () => {
    const { publicJwk } = await makeKey('ES256', 'x')
    login.jwks.keys = [
      { ...publicJwk, d: publicJwk.x ?? '' },
      { kty: 'oct', k: 'AAAA' },
    ]
    const verdict = await judgeOf(login.jwt()).verify(login.url)
    expect(verdict).toMatchObject({ ok: false, detail: expect.stringContaining('keys: 0') })
  })

  test('that is away', async () => {
    login.mode = 'error'
    idp.mode = 'redirect'
    const keys = await judgeOf(login.jwt()).verify(login.url)
    expect(keys).toMatchObject({ ok: false, detail: expect.stringContaining('status 500: check jwks_uri') })
    const introspection = await judgeOf(idp.introspection()).verify(idp.url)
    expect(introspection).toMatchObject({ ok: false, detail: expect.stringContaining('redirect') })
  })

  test('that lets everyone in', async () => {
    idp.opaque.get = () => active()
    expect(await judgeOf(idp.introspection()).verify(idp.url)).toMatchObject({ ok: false })
  })
})
