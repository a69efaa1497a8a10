import { generateKeyPairSync } from 'node:crypto'
import { dkimSign } from 'mailauth'
import type { Resolve } from '../../src/inbound/reading/authentication.ts'

/** What a test's DNS holds: TXT records by name, or a fault that lasts. */
export type DnsRecords = Record<string, string | 'temporary'>

/** DNS that knows these names and no other; `asked` is what it was asked for. */
export function fakeDns(records: DnsRecords): Resolve & { asked: string[] } {
  const asked: string[] = []
  const resolve: Resolve = async (name, type) => {
    asked.push(`${type} ${name}`)
    const record = records[name]
    if (record === 'temporary') throw Object.assign(new Error('no answer'), { code: 'ESERVFAIL' })
    if (record === undefined || type !== 'TXT')
      throw Object.assign(new Error('not there'), { code: 'ENOTFOUND' })
    return [[record]]
  }
  return Object.assign(resolve, { asked })
}

/** A domain that signs its mail: its key, and what DNS says of it. */
export type SigningDomain = { domain: string; selector: string; privateKey: string; records: DnsRecords }

/** @param dmarc the domain's DMARC record; null: it has none. `flags`: of its key, as `; t=y` */
export function signingDomain(
  domain: string,
  { dmarc = 'v=DMARC1; p=reject', flags = '' }: { dmarc?: string | null; flags?: string } = {},
): SigningDomain {
  const { privateKey, publicKey } = generateKeyPairSync('rsa', {
    modulusLength: 2048,
    publicKeyEncoding: { type: 'spki', format: 'der' },
    privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
  })
  const key = `v=DKIM1; k=rsa${flags}; p=${publicKey.toString('base64')}`
  return {
    domain,
    selector: 'one',
    privateKey,
    records: {
      [`one._domainkey.${domain}`]: key,
      ...(dmarc === null ? {} : { [`_dmarc.${domain}`]: dmarc }),
    },
  }
}

/** The mail with a DKIM-Signature of each signer above it, the last one's topmost. */
export async function signMail(
  raw: string | Buffer,
  signers: { by: SigningDomain; bodyLength?: number }[],
): Promise<Buffer> {
  let signed = Buffer.from(raw)
  for (const { by, bodyLength } of signers) {
    const { domain: signingDomain, selector, privateKey } = by
    const length = bodyLength === undefined ? {} : { maxBodyLength: bodyLength }
    const { signatures, errors } = await dkimSign(signed, {
      signingDomain,
      selector,
      privateKey,
      signatureData: [{ signingDomain, selector, privateKey, ...length }],
    })
    if (errors.length > 0 || signatures === '') throw new Error('a test mail could not be signed')
    signed = Buffer.concat([Buffer.from(signatures), signed])
  }
  return signed
}

/** A mail as text; every field is optional, and `head` goes above all others. */
export function mailOf(
  fields: Record<string, string>,
  body = 'Hello.\r\n',
  { head = '' }: { head?: string } = {},
): string {
  const all = { From: 'Ada <ada@example.com>', To: 'support@acme.example', Subject: 'Help', ...fields }
  const lines = Object.entries(all).map(([name, value]) => `${name}: ${value}\r\n`)
  return `${head}${lines.join('')}\r\n${body}`
}

/** A whole mail that passes DMARC for the domain of its From, and the DNS that says so. */
export async function signedMail(
  fields: Record<string, string>,
  body?: string,
): Promise<{ raw: Buffer; dns: ReturnType<typeof fakeDns>; signer: SigningDomain }> {
  const domain = /@([^\s<>]+)/.exec(fields.From ?? 'ada@example.com')?.[1] ?? 'example.com'
  const signer = signingDomain(domain)
  const raw = await signMail(mailOf(fields, body), [{ by: signer }])
  return { raw, dns: fakeDns(signer.records), signer }
}
