import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { createLocalJWKSet, decodeProtectedHeader, type JWK, type JWTPayload, jwtVerify } from 'jose'
import { afterEach, beforeEach, expect, test } from 'vitest'
import {
  DEMO_AUDIENCE,
  DEMO_ISSUER,
  type DemoTokenRequest,
  demoBrands,
  mintDemoToken,
} from '../../src/demo.ts'
import { linesOf } from '../config/brands-folder.ts'

const NOW = Date.UTC(2030, 0, 1)
let folder: string

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'bellhop-demo-'))
})
afterEach(() => rm(folder, { recursive: true, force: true }))

const mint = (request: DemoTokenRequest, dataDir = folder) =>
  mintDemoToken({ dataDir, brandsFile: null }, request, () => NOW)

/** What a server of this DATA_DIR makes of the token. */
async function verify(token: string): Promise<JWTPayload> {
  const [issuer] = (await demoBrands(folder)).issuers
  if (issuer?.kind !== 'jwt' || issuer.keys.from !== 'file') throw new Error('no keys')
  const { payload } = await jwtVerify(token, createLocalJWKSet({ keys: issuer.keys.jwks.keys as JWK[] }), {
    issuer: issuer.issuer,
    audience: issuer.audience,
    algorithms: issuer.algorithms,
    typ: 'at+jwt',
    currentDate: new Date(NOW),
  })
  return payload
}

test('a token says who it is for, and the demo server believes it', async () => {
  const token = await mint({ brand: 'acme', person: 'per_ada', email: 'ada@example.com', scope: 'a b' })
  expect(await verify(token)).toStrictEqual({
    iss: DEMO_ISSUER,
    aud: DEMO_AUDIENCE,
    sub: 'per_ada',
    brand: 'acme',
    scope: 'a b',
    email: 'ada@example.com',
    email_verified: true,
    iat: NOW / 1000,
    exp: NOW / 1000 + 3600,
    jti: expect.stringMatching(/^[0-9a-f-]{36}$/),
  })
  expect(decodeProtectedHeader(token)).toEqual({ alg: 'ES256', typ: 'at+jwt', kid: expect.any(String) })
})

test('without options it holds no more than it must, and no two are the same', async () => {
  const [one, other] = await Promise.all(
    [1, 2].map(async () => verify(await mint({ brand: 'globex', person: 'per_bob' }))),
  )
  expect(Object.keys(one ?? {}).sort()).toEqual(['aud', 'brand', 'exp', 'iat', 'iss', 'jti', 'sub'])
  expect(one?.jti).not.toBe(other?.jti)
})

test.each([
  ['90s', 90],
  ['30m', 1800],
  ['1d', 86_400],
  ['30d', 2_592_000],
])('it lives for %s', async (ttl, seconds) => {
  const { iat = 0, exp } = await verify(await mint({ brand: 'acme', person: 'per_ada', ttl }))
  expect(exp).toBe(iat + seconds)
})

test('the key survives a restart, is for its owner only, and its private half is in no configuration', async () => {
  const token = await mint({ brand: 'acme', person: 'per_ada' })
  const brands = await demoBrands(folder)
  expect(await demoBrands(folder)).toEqual(brands)
  await expect(verify(token)).resolves.toMatchObject({ sub: 'per_ada' })
  expect((await stat(join(folder, 'demo-issuer.json'))).mode & 0o777).toBe(0o600)
  const { d } = JSON.parse(await readFile(join(folder, 'demo-issuer.json'), 'utf8'))
  expect(d).toMatch(/^[\w-]{43}$/)
  expect(JSON.stringify(brands)).not.toContain(d)
})

test('a server and tokens made at the same moment in a new DATA_DIR agree on the key', async () => {
  const dataDir = join(folder, 'new', 'data')
  const module = new URL('../../src/demo.ts', import.meta.url).href
  const script = `const { mintDemoToken } = await import(${JSON.stringify(module)})
    const token = () => mintDemoToken({ dataDir: ${JSON.stringify(dataDir)}, brandsFile: null }, { brand: 'acme', person: 'p' })
    console.log((await Promise.all([token(), token(), token(), token()])).join('\\n'))`
  const runs = Array.from({ length: 3 }, async () => {
    const child = spawn(process.execPath, ['--input-type=module', '-e', script], {
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    const [output, [status]] = await Promise.all([text(child.stdout), once(child, 'close')])
    expect(status).toBe(0)
    return output.trim().split('\n')
  })
  const tokens = (await Promise.all(runs)).flat()
  expect(tokens.length).toBe(12)
  expect(new Set(tokens.map((token) => decodeProtectedHeader(token).kid)).size).toBe(1)
  expect(await readdir(dataDir)).toEqual(['demo-issuer.json'])
  expect((await stat(dataDir)).mode & 0o777).toBe(0o700)
})

test('every option that is wrong is named, and no value is repeated', async () => {
  const request = { brand: 'canary', person: '', email: 'canary', scope: 'canary  x', ttl: '31d' }
  expect(await linesOf(mint(request))).toEqual([
    '--brand: expected one of the demo brands acme, globex',
    '--person: expected 1 to 200 characters, without line breaks',
    '--email: expected an e-mail address',
    '--scope: expected scopes with single spaces between them, such as "a b"',
    '--ttl: expected a duration such as 90s, 30m, 1h or 1d, from 1s to 30d',
  ])
  for (const ttl of ['0s', '500ms', '1500ms', '3600', '-1h', '']) {
    expect(await linesOf(mint({ brand: 'acme', person: 'per_ada', ttl }))).toHaveLength(1)
  }
  expect(await linesOf(mint({ brand: 'toString', person: 'per_ada' }))).toHaveLength(1)
  expect(await readdir(folder)).toEqual([])
})

test('with a brands file there is no demo issuer to take a token from', async () => {
  const work = mintDemoToken({ dataDir: folder, brandsFile: 'b.yaml' }, { brand: 'acme', person: 'p' })
  expect(await linesOf(work)).toEqual([expect.stringContaining('only while BRANDS_FILE is unset')])
})

test.each(['', '{}', '{"kty":"EC","crv":"P-256","x":"canary","y":"canary","d":"canary"}', 'null'])(
  'a damaged key file is named with what to do: %s',
  async (content) => {
    await writeFile(join(folder, 'demo-issuer.json'), content)
    expect(await linesOf(mint({ brand: 'acme', person: 'per_ada' }))).toEqual([
      'DATA_DIR: expected an ES256 key in demo-issuer.json; remove the file, and a new key is made',
    ])
  },
)

test('a DATA_DIR that cannot be written is named', async () => {
  const file = join(folder, 'file')
  await writeFile(file, '')
  expect(await linesOf(mint({ brand: 'acme', person: 'per_ada' }, join(file, 'data')))).toEqual([
    'DATA_DIR: expected a folder where demo-issuer.json can be read and written (ENOTDIR)',
  ])
})
