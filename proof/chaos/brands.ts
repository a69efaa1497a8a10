import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { AUTHSERV_ID } from '../inbound/answers.ts'
import { addressOf, REPLY_KEY } from '../inbound/mail-brands.ts'
import { AUDIENCE, type ChaosIssuer, ISSUER } from './issuer.ts'

export const ACME = 'acme'
export const GLOBEX = 'globex'
export const WEBHOOK_SECRET = `whsec_${Buffer.alloc(32, 7).toString('base64')}`

export type BrandsOptions = {
  /** Of acme's desk, a mailbox. */
  smtpPort: number
  /** Of globex's desk, a webhook. */
  webhookPort: number
  /** As the brands file says it; 0s unless told. */
  wait?: string
  /** What a brand's `inbound` says beside who is believed and that new tickets are opened; unset: no mail is taken. */
  inbound?: (brandId: string) => object
}

/** The brands file of a row: acme with a mailbox, globex with a webhook, and no limit on how many tickets come. */
export async function writeBrands(
  folder: string,
  issuer: ChaosIssuer,
  options: BrandsOptions,
): Promise<string> {
  const { smtpPort, webhookPort, wait = '0s', inbound } = options
  const mail = (id: string) =>
    inbound && {
      reply: { address: addressOf(id), keys: [REPLY_KEY.toString('base64')] },
      inbound: { trusted_authserv_ids: [AUTHSERV_ID], accept_new: true, ...inbound(id) },
    }
  const brand = (id: string, name: string, desk: object) => ({
    id,
    name,
    issuers: [ISSUER],
    wait,
    tickets_per_minute: 0,
    desk,
    ...mail(id),
  })
  const file = {
    issuers: [{ issuer: ISSUER, audience: AUDIENCE, jwks_file: issuer.jwksFile, algorithms: ['ES256'] }],
    brands: [
      brand(ACME, 'Acme', {
        connector: 'smtp',
        url: `smtp://127.0.0.1:${smtpPort}`,
        from: 'Acme Support <support@acme.example>',
        to: 'helpdesk@acme.example',
      }),
      brand(GLOBEX, 'Globex', {
        connector: 'webhook',
        url: `http://127.0.0.1:${webhookPort}/tickets`,
        secret: WEBHOOK_SECRET,
      }),
    ],
  }
  const path = join(folder, 'brands.yaml')
  // JSON is YAML.
  await writeFile(path, JSON.stringify(file, null, 2), { mode: 0o600 })
  return path
}
