import { once } from 'node:events'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { type CryptoKey, exportJWK, generateKeyPair, type JWK, SignJWT } from 'jose'
import type { IntrospectionIssuer, JwtIssuer, SigningAlgorithm } from '../../../src/config.ts'

/** How the issuer answers: as it should, or in one of the ways that it should not. */
export type IssuerMode =
  | 'well'
  | 'silent'
  | 'redirect'
  | 'error'
  | 'not_json'
  | 'drip'
  | 'huge'
  | 'broken'
  | 'broken_once'
  | 'array'

export type SigningKey = { alg: SigningAlgorithm; kid: string; privateKey: CryptoKey; publicJwk: JWK }

export type TestIssuer = {
  /** Its `iss`, and where it listens. */
  readonly url: string
  mode: IssuerMode
  /** What it publishes; put keys in and take them out. */
  jwks: { keys: JWK[] }
  /** Which of the two metadata documents it has. */
  metadata: 'openid' | 'oauth' | 'none'
  /** Members that stand in the metadata instead of the right ones. */
  metadataOverrides: Record<string, unknown>
  /** Opaque tokens and what it says about them; about others, that they are not active. */
  readonly opaque: Map<string, unknown>
  /** How often it was asked. */
  readonly asked: { keys: number; discovery: number; token: number }
  /** What came with the last question about a token. */
  lastQuestion: { authorization: string | undefined; form: URLSearchParams } | null
  /** A new key, published at once. */
  newKey(alg?: SigningAlgorithm, kid?: string): Promise<SigningKey>
  /** A token signed by the newest key, for an hour, for the audience `bellhop`, unless said otherwise. */
  token(
    claims?: Record<string, unknown>,
    signed?: { key?: SigningKey; header?: Record<string, unknown> },
  ): Promise<string>
  jwt(settings?: Partial<JwtIssuer>): JwtIssuer
  introspection(settings?: Partial<IntrospectionIssuer>): IntrospectionIssuer
  /** Keeps all answers back until the returned function is called. */
  hold(): () => void
  close(): Promise<void>
}

export type TestIssuerOptions = {
  /** Epoch milliseconds; default the real time. */
  now?: () => number
  /** The path of its `iss`, for example `/realms/acme`. */
  path?: string
}

/** An issuer on loopback: keys, both metadata documents, introspection, and every way to answer badly. */
export async function startTestIssuer({
  now = Date.now,
  path = '',
}: TestIssuerOptions = {}): Promise<TestIssuer> {
  let held: Promise<void> = Promise.resolve()
  let newest: SigningKey | null = null
  let made = 0
  const server = createServer((request, response) => {
    held.then(() => answer(request, response)).catch(() => response.destroy())
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('expected a port')
  const origin = `http://127.0.0.1:${address.port}`

  const issuer: TestIssuer = {
    url: `${origin}${path}`,
    mode: 'well',
    jwks: { keys: [] },
    metadata: 'openid',
    metadataOverrides: {},
    opaque: new Map(),
    asked: { keys: 0, discovery: 0, token: 0 },
    lastQuestion: null,

    async newKey(alg = 'ES256', kid) {
      made += 1
      newest = await makeKey(alg, kid ?? `key-${made}`)
      issuer.jwks.keys.push(newest.publicJwk)
      return newest
    },

    async token(claims = {}, { key, header = {} } = {}) {
      const signer = key ?? newest ?? (await issuer.newKey())
      const seconds = Math.floor(now() / 1000)
      const all = {
        iss: issuer.url,
        aud: 'bellhop',
        sub: 'per_ada',
        iat: seconds,
        exp: seconds + 3600,
        ...claims,
      }
      const present = Object.fromEntries(Object.entries(all).filter(([, value]) => value !== undefined))
      return new SignJWT(present)
        .setProtectedHeader({ alg: signer.alg, kid: signer.kid, ...header })
        .sign(signer.privateKey)
    },

    jwt: (settings = {}) => ({
      kind: 'jwt',
      issuer: issuer.url,
      audience: 'bellhop',
      algorithms: ['ES256', 'RS256', 'PS256', 'EdDSA'],
      keys: { from: 'uri', uri: `${origin}/jwks` },
      ...settings,
    }),

    introspection: (settings = {}) => ({
      kind: 'introspection',
      issuer: issuer.url,
      audience: null,
      endpoint: `${origin}/introspect`,
      clientId: 'bellhop',
      clientSecret: 'a test secret',
      tokenPrefix: null,
      ...settings,
    }),

    hold() {
      const { promise, resolve } = Promise.withResolvers<void>()
      held = promise
      return () => {
        held = Promise.resolve()
        resolve()
      }
    },

    async close() {
      const closed = once(server, 'close')
      server.close()
      server.closeAllConnections()
      await closed
    },
  }

  async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const content = await contentFor(request)
    if (content === undefined) return send(response, 404, {})
    switch (issuer.mode) {
      case 'well':
        return send(response, 200, content)
      case 'silent':
        return
      case 'redirect':
        response.writeHead(302, { location: `${origin}/elsewhere` }).end()
        return
      case 'error':
        return send(response, 500, { error: 'server_error' })
      case 'not_json':
        response.writeHead(200, { 'content-type': 'text/html' }).end('<!doctype html><p>Sign in</p>')
        return
      case 'array':
        return send(response, 200, [content])
      case 'huge':
        return send(response, 200, { padding: 'x'.repeat(300_000), ...Object(content) })
      case 'broken':
        request.socket.destroy()
        return
      case 'broken_once':
        issuer.mode = 'well'
        request.socket.destroy()
        return
      case 'drip':
        return drip(response)
    }
  }

  async function contentFor(request: IncomingMessage): Promise<unknown> {
    const metadata = { issuer: issuer.url, jwks_uri: `${origin}/jwks`, ...issuer.metadataOverrides }
    switch (request.url) {
      case '/jwks':
        issuer.asked.keys += 1
        return structuredClone(issuer.jwks)
      // What a followed redirect would find: everything that it takes to be let in.
      case '/elsewhere':
        return { ...issuer.jwks, ...metadata, active: true, sub: 'per_ada', exp: 9_999_999_999 }
      case `${path}/.well-known/openid-configuration`:
        issuer.asked.discovery += 1
        return issuer.metadata === 'openid' ? metadata : undefined
      case `/.well-known/oauth-authorization-server${path}`:
        issuer.asked.discovery += 1
        return issuer.metadata === 'oauth' ? metadata : undefined
      case '/introspect': {
        issuer.asked.token += 1
        const form = new URLSearchParams(await textOf(request))
        issuer.lastQuestion = { authorization: request.headers.authorization, form }
        return issuer.opaque.get(form.get('token') ?? '') ?? { active: false }
      }
      default:
        return undefined
    }
  }

  return issuer
}

export async function makeKey(alg: SigningAlgorithm, kid: string): Promise<SigningKey> {
  const { privateKey, publicKey } = await generateKeyPair(alg)
  return { alg, kid, privateKey, publicJwk: { ...(await exportJWK(publicKey)), kid, alg, use: 'sig' } }
}

function send(response: ServerResponse, status: number, content: unknown): void {
  response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(content))
}

/** A byte now and then, each well within the time without one. */
function drip(response: ServerResponse): void {
  response.writeHead(200, { 'content-type': 'application/json' })
  const timer = setInterval(() => response.write(' '), 20)
  response.on('close', () => clearInterval(timer))
}

async function textOf(request: IncomingMessage): Promise<string> {
  const pieces: Buffer[] = []
  for await (const piece of request) pieces.push(piece)
  return Buffer.concat(pieces).toString()
}
