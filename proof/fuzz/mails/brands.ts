import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { BrandReply } from '../../../server/src/config.ts'
import { ALGORITHM, AUDIENCE, BRANDS, ISSUER, type People } from '../persons.ts'

/** The brand that gets the mails: its desk is the built-in inbox, and who passed may open a ticket. */
export const MAIL_BRAND = BRANDS.plain
export const SECRET = Buffer.alloc(32, 1)
export const AUTHSERV_ID = 'mx.acme.example'
export const REPLY: BrandReply = { local: 'support', domain: 'acme.example', keys: [Buffer.alloc(32, 2)] }

export async function writeMailBrands(folder: string, { jwks }: People): Promise<string> {
  await writeFile(join(folder, 'jwks.json'), JSON.stringify(jwks))
  const path = join(folder, 'brands.yaml')
  const file = {
    issuers: [{ issuer: ISSUER, audience: AUDIENCE, jwks_file: './jwks.json', algorithms: [ALGORITHM] }],
    brands: [
      {
        ...{
          id: MAIL_BRAND,
          name: 'Acme',
          issuers: [ISSUER],
          tickets_per_minute: 0,
          desk: { connector: 'inbox' },
        },
        reply: {
          address: `${REPLY.local}@${REPLY.domain}`,
          keys: REPLY.keys.map((key) => key.toString('base64')),
        },
        inbound: {
          secret: SECRET.toString('base64'),
          trusted_authserv_ids: [AUTHSERV_ID],
          accept_new: true,
        },
      },
    ],
  }
  await writeFile(path, JSON.stringify(file, null, 2))
  return path
}
