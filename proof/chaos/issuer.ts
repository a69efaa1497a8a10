import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { exportJWK, generateKeyPair, SignJWT } from 'jose'

export const ISSUER = 'https://login.chaos.example'
export const AUDIENCE = 'bellhop'

export type Person = { id: string; token: string }

/** An issuer of access tokens that needs no network: its keys lie in a file. */
export type ChaosIssuer = {
  /** Of its keys, for `jwks_file`. */
  jwksFile: string
  /** People who can sign in, each with a token for so many seconds; for a day unless told. */
  persons(count: number, seconds?: number): Promise<Person[]>
}

export async function makeIssuer(folder: string): Promise<ChaosIssuer> {
  const { privateKey, publicKey } = await generateKeyPair('ES256')
  const jwksFile = join(folder, 'jwks.json')
  const key = { ...(await exportJWK(publicKey)), kid: 'chaos', alg: 'ES256', use: 'sig' }
  await writeFile(jwksFile, JSON.stringify({ keys: [key] }))
  let made = 0
  return {
    jwksFile,
    async persons(count, seconds = 86_400) {
      const now = Math.floor(Date.now() / 1000)
      return Promise.all(
        Array.from({ length: count }, async () => {
          const id = `per_${made++}`
          const token = await new SignJWT()
            .setProtectedHeader({ alg: 'ES256', typ: 'at+jwt', kid: 'chaos' })
            .setIssuer(ISSUER)
            .setAudience(AUDIENCE)
            .setSubject(id)
            .setIssuedAt(now)
            .setExpirationTime(now + seconds)
            .sign(privateKey)
          return { id, token }
        }),
      )
    },
  }
}
