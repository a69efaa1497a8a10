import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { ACME, WEBHOOK_SECRET } from './brands.ts'
import type { ClockIssuer } from './clock-issuer.ts'
import { AUDIENCE, type ChaosIssuer, ISSUER } from './issuer.ts'

/** By whom their tokens are: of keys in a file, of keys that change, opaque ones; and one with a limit. */
export const CHANGING = 'changing'
export const OPAQUE = 'opaque'
export const LIMITED = 'limited'
export const PER_MINUTE = 2
const OPAQUE_ISSUER = 'https://opaque.chaos.example'

/** Four brands with one desk, that differ in how their callers are judged. */
export async function writeClockBrands(
  folder: string,
  issuer: ChaosIssuer,
  asked: ClockIssuer,
  deskPort: number,
): Promise<string> {
  const desk = {
    connector: 'webhook',
    url: `http://127.0.0.1:${deskPort}/tickets`,
    secret: WEBHOOK_SECRET,
  }
  const brand = (id: string, by: string, perMinute = 0) => ({
    id,
    name: id,
    issuers: [by],
    wait: '0s',
    tickets_per_minute: perMinute,
    desk,
  })
  const introspection = { endpoint: `${asked.url}/introspect`, client_id: 'bellhop', client_secret: 'chaos' }
  const file = {
    issuers: [
      { issuer: ISSUER, audience: AUDIENCE, jwks_file: issuer.jwksFile, algorithms: ['ES256'] },
      { issuer: asked.url, audience: AUDIENCE, jwks_uri: `${asked.url}/jwks`, algorithms: ['ES256'] },
      { issuer: OPAQUE_ISSUER, introspection },
    ],
    brands: [
      brand(ACME, ISSUER),
      brand(CHANGING, asked.url),
      brand(OPAQUE, OPAQUE_ISSUER),
      brand(LIMITED, ISSUER, PER_MINUTE),
    ],
  }
  const path = join(folder, 'brands.yaml')
  // JSON is YAML.
  await writeFile(path, JSON.stringify(file, null, 2), { mode: 0o600 })
  return path
}
