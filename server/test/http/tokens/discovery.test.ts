import { afterEach, expect, test } from 'vitest'
import { oauthUrl, openidUrl } from '../../../src/http/tokens/discovery.ts'
import { judgeFor, judgeToken, startClock, statusOf } from './judgement.ts'
import { startTestIssuer, type TestIssuer } from './test-issuer.ts'

const clock = startClock()
const open: { close(): Promise<void> }[] = []

afterEach(async () => {
  for (const each of open.splice(0)) await each.close()
})

async function start(path: string): Promise<TestIssuer> {
  const issuer = await startTestIssuer({ path })
  open.unshift(issuer)
  return issuer
}

function judgeBy(issuer: TestIssuer) {
  const judge = judgeFor([issuer.jwt({ keys: { from: 'discovery' } })], clock)
  open.unshift(judge)
  return judge
}

test.each(['', '/', '/realms/acme', '/realms/acme/'])(
  'an issuer at "%s" needs to name only itself',
  async (path) => {
    const issuer = await startTestIssuer({ path: path.replace(/\/$/, '') })
    open.unshift(issuer)
    issuer.metadataOverrides = { issuer: `${issuer.url}${path.endsWith('/') ? '/' : ''}` }
    const iss = String(issuer.metadataOverrides.issuer)
    const judge = judgeFor([issuer.jwt({ issuer: iss, keys: { from: 'discovery' } })], clock)
    open.unshift(judge)
    expect(await statusOf(judge, await issuer.token({ iss }))).toBe(200)
    expect(issuer.asked).toMatchObject({ discovery: 1, keys: 1 })
  },
)

test.each(['', '/tenant'])('an issuer at "%s" may have RFC 8414 metadata instead', async (path) => {
  const issuer = await start(path)
  issuer.metadata = 'oauth'
  expect(await statusOf(judgeBy(issuer), await issuer.token())).toBe(200)
})

test('an issuer without either document cannot be asked', async () => {
  const issuer = await start('')
  issuer.metadata = 'none'
  expect(await judgeToken(judgeBy(issuer), await issuer.token())).toMatchObject({
    status: 503,
    reason: { fault: 'status', status: 404 },
  })
})

test.each<[string, Record<string, unknown>]>([
  ["that is another issuer's", { issuer: 'https://other.example' }],
  ['that names no issuer', { issuer: undefined }],
  ['that names no keys', { jwks_uri: undefined }],
  ['whose keys come in the clear', { jwks_uri: 'http://keys.example/jwks' }],
  [
    'whose keys come in the clear from what looks like this machine',
    { jwks_uri: 'http://127.0.0.1.example/jwks' },
  ],
  ['whose keys are in a file', { jwks_uri: 'file:///etc/passwd' }],
  ['whose keys are nowhere', { jwks_uri: 'nowhere' }],
])('a document %s is not believed', async (_, overrides) => {
  const issuer = await start('')
  issuer.metadataOverrides = overrides
  const judgement = await judgeToken(judgeBy(issuer), await issuer.token())
  expect(judgement).toMatchObject({ status: 503, reason: { fault: 'invalid' } })
  expect(issuer.asked.keys).toBe(0)
})

test('keys that move are found again', async () => {
  const issuer = await start('')
  const key = await issuer.newKey()
  const judge = judgeBy(issuer)
  expect(await statusOf(judge, await issuer.token({}, { key }))).toBe(200)
  const moved = await start('')
  const next = await moved.newKey()
  issuer.metadataOverrides = { jwks_uri: `${moved.url}/jwks` }
  clock.forward(11 * 60_000)
  expect(await statusOf(judge, await issuer.token({}, { key: next }))).toBe(200)
})

test('the two documents stand where their specifications put them', () => {
  expect(openidUrl('https://login.example')).toBe('https://login.example/.well-known/openid-configuration')
  expect(openidUrl('https://login.example/a/')).toBe(
    'https://login.example/a/.well-known/openid-configuration',
  )
  expect(oauthUrl('https://login.example/')).toBe(
    'https://login.example/.well-known/oauth-authorization-server',
  )
  expect(oauthUrl('https://login.example/a')).toBe(
    'https://login.example/.well-known/oauth-authorization-server/a',
  )
})
