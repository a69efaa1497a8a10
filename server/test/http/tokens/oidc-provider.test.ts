import { once } from 'node:events'
import { createServer, type Server } from 'node:http'
import { exportJWK, generateKeyPair } from 'jose'
import Provider from 'oidc-provider'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { IntrospectionIssuer, JwtIssuer } from '../../../src/config.ts'
import { createTokenJudge } from '../../../src/http/tokens/tokens.ts'
import { isWithoutUser } from '../../../src/tickets/caller.ts'
import { judgeToken, statusOf } from './judgement.ts'

/** A real authorization server, which gives signed tokens for one resource and opaque ones for another. */
describe('a real issuer', () => {
  let server: Server
  let url: string

  beforeAll(async () => {
    server = createServer().listen(0, '127.0.0.1')
    await once(server, 'listening')
    const address = server.address()
    if (address === null || typeof address === 'string') throw new Error('expected a port')
    url = `http://127.0.0.1:${address.port}`
    const { privateKey } = await generateKeyPair('ES256', { extractable: true })
    const client = {
      client_secret: 'secret of a test',
      redirect_uris: [],
      response_types: [],
      id_token_signed_response_alg: 'ES256',
    }
    const provider = new Provider(url, {
      clients: [
        { client_id: 'form', grant_types: ['client_credentials'], ...client },
        { client_id: 'bellhop', grant_types: ['client_credentials'], ...client },
      ],
      jwks: { keys: [{ ...(await exportJWK(privateKey)), kid: 'one', alg: 'ES256', use: 'sig' }] },
      scopes: ['write:support-tickets'],
      features: {
        devInteractions: { enabled: false },
        clientCredentials: { enabled: true },
        revocation: { enabled: true, allowedPolicy: () => true },
        introspection: { enabled: true, allowedPolicy: () => true },
        resourceIndicators: {
          enabled: true,
          getResourceServerInfo: (_: unknown, resource: string) => ({
            audience: 'bellhop',
            scope: 'write:support-tickets',
            accessTokenTTL: 600,
            accessTokenFormat: resource.endsWith('/signed') ? 'jwt' : 'opaque',
            jwt: { sign: { alg: 'ES256' } },
          }),
        },
      },
    })
    server.on('request', provider.callback())
  })

  afterAll(() => {
    server.close()
    server.closeAllConnections()
  })

  const post = (path: string, form: Record<string, string>) =>
    fetch(`${url}${path}`, {
      method: 'POST',
      headers: { authorization: `Basic ${Buffer.from('form:secret+of+a+test').toString('base64')}` },
      body: new URLSearchParams(form),
    })

  async function tokenFor(resource: string): Promise<string> {
    const scope = 'write:support-tickets'
    const answer = await post('/token', { grant_type: 'client_credentials', resource, scope })
    const content: unknown = await answer.json()
    if (typeof content !== 'object' || content === null || !('access_token' in content)) {
      throw new Error(`no token: ${JSON.stringify(content)}`)
    }
    return String(content.access_token)
  }

  test('needs to be named only, for its signed tokens to hold', async () => {
    const settings: JwtIssuer = {
      kind: 'jwt',
      issuer: url,
      audience: 'bellhop',
      algorithms: ['ES256'],
      keys: { from: 'discovery' },
    }
    const judge = createTokenJudge({ issuers: [settings], now: Date.now })
    const token = await tokenFor('https://bellhop.example/signed')
    const caller = await judge.judge(`Bearer ${token}`)
    expect(caller).toMatchObject({ issuer: url, clientId: 'form', scopes: ['write:support-tickets'] })
    expect(isWithoutUser(caller)).toBe(true)
    expect(await judge.verify(url)).toEqual({ ok: true, detail: 'keys: 1, for ES256' })
    await judge.close()
  })

  test('is asked about its opaque tokens, and one that it revokes holds no longer', async () => {
    const settings: IntrospectionIssuer = {
      kind: 'introspection',
      issuer: url,
      audience: 'bellhop',
      endpoint: `${url}/token/introspection`,
      clientId: 'bellhop',
      clientSecret: 'secret of a test',
      tokenPrefix: null,
    }
    let at = Date.now()
    const judge = createTokenJudge({ issuers: [settings], now: () => at })
    const token = await tokenFor('https://bellhop.example/opaque')
    const caller = await judge.judge(`Bearer ${token}`)
    expect(caller).toMatchObject({ issuer: url, clientId: 'form', scopes: ['write:support-tickets'] })
    expect(isWithoutUser(caller)).toBe(true)
    await post('/token/revocation', { token })
    at += 30_000
    expect(await statusOf(judge, token)).toBe(401)
    expect(await judge.verify(url)).toEqual({ ok: true, detail: 'it answers about tokens' })
    await judge.close()

    const stranger = createTokenJudge({ issuers: [{ ...settings, clientSecret: 'wrong' }], now: () => at })
    expect(await judgeToken(stranger, token)).toMatchObject({ status: 503, reason: { status: 401 } })
    expect(await stranger.verify(url)).toMatchObject({
      ok: false,
      detail: expect.stringContaining('client_secret'),
    })
    await stranger.close()
  })
})
