import { importJWK, SignJWT } from 'jose'
import { DEMO_AUDIENCE, DEMO_ISSUER } from '../server/src/demo.ts'
import { readOrMakeDemoKey } from '../server/src/demo-key.ts'
import type { NextRequest } from './load.ts'

/** More than Bellhop remembers, so that a token which comes again has been forgotten. */
const FRESH = 25_000
const RETURNING = 1_000

/**
 * Requests with tokens of the demo issuer: `fresh`, of which none is remembered when it comes, or `returning`,
 * of persons who come back with theirs.
 */
export async function requestsOf(dataDir: string, kind: 'fresh' | 'returning'): Promise<NextRequest> {
  const { privateKey, kid } = await readOrMakeDemoKey(dataDir)
  const key = await importJWK(privateKey, 'ES256')
  const requests: Buffer[] = []
  const now = Math.floor(Date.now() / 1000)
  for (let index = 0; index < (kind === 'fresh' ? FRESH : RETURNING); index++) {
    const person = `per_${kind}_${index}`
    const token = await new SignJWT({ brand: 'acme' })
      .setProtectedHeader({ alg: 'ES256', typ: 'at+jwt', kid })
      .setIssuer(DEMO_ISSUER)
      .setAudience(DEMO_AUDIENCE)
      .setSubject(person)
      .setIssuedAt(now)
      .setExpirationTime(now + 86_400)
      .sign(key)
    requests.push(toRequest(token, person))
  }
  let next = 0
  return () => {
    const request = requests[next++ % requests.length]
    if (request === undefined) throw new Error('there are no requests')
    return request
  }
}

function toRequest(token: string, person: string): Buffer {
  const body = JSON.stringify({
    brand_id: 'acme',
    person_id: person,
    requester_email: 'ada@example.com',
    requester_name: 'Ada Lovelace',
    subject: 'My order has not arrived',
    body: 'It was due on Monday, and the page only says that it is on its way. '.repeat(8),
  })
  return Buffer.from(
    `POST /v1/support/tickets HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer ${token}\r\n` +
      `Content-Type: application/json\r\nContent-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`,
  )
}
