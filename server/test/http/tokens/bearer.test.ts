import { once } from 'node:events'
import { createServer } from 'node:http'
import { connect } from 'node:net'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { authorizationOf } from '../../../src/http/tokens/bearer.ts'
import type { TokenJudge } from '../../../src/http/tokens/tokens.ts'
import { judgeFor, judgeHeader, startClock } from './judgement.ts'
import { startTestIssuer, type TestIssuer } from './test-issuer.ts'

describe('the Authorization header', () => {
  let issuer: TestIssuer
  let judge: TokenJudge
  let token: string

  beforeAll(async () => {
    issuer = await startTestIssuer()
    judge = judgeFor([issuer.jwt()], startClock())
    token = await issuer.token()
  })

  afterAll(async () => {
    await judge.close()
    await issuer.close()
  })

  test('lets a caller in however the scheme is written', async () => {
    for (const scheme of ['Bearer ', 'bearer ', 'BEARER ', 'Bearer   ']) {
      expect(await judgeHeader(judge, `${scheme}${token}`), scheme).toMatchObject({
        status: 200,
        person: 'per_ada',
      })
    }
    expect(await judgeHeader(judge, [`Bearer ${token}`])).toMatchObject({ status: 200 })
  })

  test('says how to authenticate, and names no error, where no Bearer token came', async () => {
    for (const header of [undefined, '', 'Bearer', 'Bearer ', 'Basic YWRhOnB3', 'Bearertoken', []]) {
      const judgement = await judgeHeader(judge, header)
      expect(judgement, String(header)).toMatchObject({ status: 401, challenge: 'Bearer realm="bellhop"' })
    }
  })

  test('calls a token that is not one invalid, and repeats nothing of it', async () => {
    const canary = 'canary'
    const odd = [
      `${canary} ${token}`,
      `${token} ${canary}`,
      `"${canary}"`,
      `${canary},${token}`,
      `${canary}=a`,
      `=${canary}`,
    ]
    for (const value of [...odd, `${canary}\u00e9`, `${canary}\n`]) {
      const judgement = await judgeHeader(judge, `Bearer ${value}`)
      expect(judgement, value).toMatchObject({ status: 401, reason: 'malformed' })
      expect(judgement.challenge).toMatch(
        /^Bearer realm="bellhop", error="invalid_token", error_description="[^"\\]+"$/,
      )
      expect(JSON.stringify(judgement)).not.toContain(canary)
    }
  })

  test('refuses a token of more than 8 KiB before it is looked into', async () => {
    expect(await judgeHeader(judge, `Bearer ${'a'.repeat(8193)}`)).toMatchObject({
      status: 401,
      reason: 'too_long',
    })
    expect(await judgeHeader(judge, `Bearer ${'a'.repeat(8192)}`)).toMatchObject({ reason: 'unknown_issuer' })
  })

  test('refuses two headers, even where each alone would do', async () => {
    const two = [`Bearer ${token}`, `Bearer ${token}`]
    expect(await judgeHeader(judge, two)).toMatchObject({ status: 401, reason: 'malformed' })
  })

  test('sees the second header that Node hides', async () => {
    const server = createServer((request, response) => {
      response.end(JSON.stringify([request.headers.authorization, authorizationOf(request.rawHeaders)]))
    }).listen(0, '127.0.0.1')
    await once(server, 'listening')
    const address = server.address()
    if (address === null || typeof address === 'string') throw new Error('expected a port')
    const socket = connect(address.port, '127.0.0.1')
    socket.end(
      'GET / HTTP/1.1\r\nhost: a\r\nconnection: close\r\nAuthorization: Bearer a\r\nAUTHORIZATION: Bearer b\r\n\r\n',
    )
    let answer = ''
    for await (const piece of socket) answer += piece
    server.close()
    expect(answer).toContain('["Bearer a",["Bearer a","Bearer b"]]')
  })

  test('is undefined where it is missing and a string where it came once', () => {
    expect(authorizationOf(['host', 'a'])).toBeUndefined()
    expect(authorizationOf(['host', 'a', 'aUTHORIZATION', 'Bearer a'])).toBe('Bearer a')
  })
})
