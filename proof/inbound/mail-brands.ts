import { hash } from 'node:crypto'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { AUTHSERV_ID } from './answers.ts'

/** Signs what is handed over to a brand by HTTP; 32 bytes. */
export function secretOf(brand: string): Buffer {
  return hash('sha256', brand, 'buffer')
}

/** Signs the addresses that answers come back to. */
export const REPLY_KEY = Buffer.alloc(32, 2)

export function addressOf(brand: string): string {
  return `support@${brand}.example`
}

/**
 * A brands file whose brands take mail by HTTP and open tickets of it; their desk is the built-in inbox. The issuer is
 * one that nobody asks.
 */
export async function writeInboundBrands(folder: string, brands: string[]): Promise<string> {
  const path = join(folder, `inbound-${brands.length}-brands.yaml`)
  const issuer = 'https://login.acme.example'
  const introspection = {
    ...{ endpoint: `${issuer}/introspect`, client_id: 'bellhop', client_secret: 'not a secret' },
  }
  const file = {
    issuers: [{ issuer, introspection }],
    brands: brands.map((id) => ({
      ...{ id, name: id, issuers: [issuer], desk: { connector: 'inbox' } },
      reply: { address: addressOf(id), keys: [REPLY_KEY.toString('base64')] },
      inbound: {
        secret: secretOf(id).toString('base64'),
        trusted_authserv_ids: [AUTHSERV_ID],
        accept_new: true,
      },
    })),
  }
  // JSON is YAML.
  await writeFile(path, JSON.stringify(file, null, 2), { mode: 0o600 })
  return path
}
