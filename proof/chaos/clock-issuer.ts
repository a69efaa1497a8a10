import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { createServer } from 'node:http'
import { exportJWK, generateKeyPair, type JWK, SignJWT } from 'jose'
import { AUDIENCE } from './issuer.ts'

const DAYS_10 = 864_000

/** Issuers that are asked: one for its keys, which change, and one about its tokens (RFC 7662), which it revokes. */
export class ClockIssuer {
  readonly url: string
  /** How often it was asked for its keys. */
  keyQuestions = 0
  readonly #keys: JWK[] = []
  readonly #tokens = new Map<string, { person: string; active: boolean }>()
  readonly #close: () => Promise<void>
  #sign: (person: string) => Promise<string> = () => Promise.reject(new Error('there is no key yet'))

  private constructor(url: string, close: () => Promise<void>) {
    this.url = url
    this.#close = close
  }

  static async start(): Promise<ClockIssuer> {
    const server = createServer(async (request, response) => {
      let body = ''
      for await (const chunk of request) body += String(chunk)
      response.setHeader('content-type', 'application/json')
      response.end(JSON.stringify(request.url === '/jwks' ? issuer.#jwks() : issuer.#introspect(body)))
    }).listen(0, '127.0.0.1')
    await once(server, 'listening')
    const address = server.address()
    if (address === null || typeof address === 'string') throw new Error('no port')
    const issuer = new ClockIssuer(`http://127.0.0.1:${address.port}`, async () => {
      const closed = once(server, 'close')
      server.close()
      server.closeAllConnections()
      await closed
    })
    await issuer.changeKey()
    return issuer
  }

  /** The key of the tokens from now on; the former ones hold still. */
  async changeKey(): Promise<void> {
    const { privateKey, publicKey } = await generateKeyPair('ES256')
    const kid = randomBytes(8).toString('hex')
    this.#keys.push({ ...(await exportJWK(publicKey)), kid, alg: 'ES256', use: 'sig' })
    const now = Math.floor(Date.now() / 1000)
    this.#sign = (person) =>
      new SignJWT()
        .setProtectedHeader({ alg: 'ES256', typ: 'at+jwt', kid })
        .setIssuer(this.url)
        .setAudience(AUDIENCE)
        .setSubject(person)
        .setIssuedAt(now)
        .setExpirationTime(now + DAYS_10)
        .sign(privateKey)
  }

  /** A token of its newest key. */
  token(person: string): Promise<string> {
    return this.#sign(person)
  }

  opaqueToken(person: string): string {
    const token = `opq_${randomBytes(16).toString('hex')}`
    this.#tokens.set(token, { person, active: true })
    return token
  }

  revoke(token: string): void {
    const known = this.#tokens.get(token)
    if (known !== undefined) known.active = false
  }

  close(): Promise<void> {
    return this.#close()
  }

  #jwks(): object {
    this.keyQuestions++
    return { keys: this.#keys }
  }

  #introspect(body: string): object {
    const known = this.#tokens.get(new URLSearchParams(body).get('token') ?? '')
    if (known?.active !== true) return { active: false }
    return { active: true, sub: known.person, exp: Math.floor(Date.now() / 1000) + DAYS_10 }
  }
}
