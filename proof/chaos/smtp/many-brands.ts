import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { AUDIENCE, type ChaosIssuer, ISSUER } from '../issuer.ts'

export type ManyBrandsOptions = {
  folder: string
  /** Of the desks; each brand has its own. */
  ports: number[]
  tls: boolean
  /** As the brands file says it. */
  wait: string
}

/** The ids of so many brands. */
export function brandIds(count: number): string[] {
  return Array.from({ length: count }, (_, at) => `brand-${at}`)
}

/** A brands file with a brand for each desk: what is bounded for one desk is bounded for each by itself. */
export async function writeManyBrands(issuer: ChaosIssuer, options: ManyBrandsOptions): Promise<string> {
  const { folder, ports, tls, wait } = options
  const brands = brandIds(ports.length).map((id, at) => ({
    id,
    name: id,
    issuers: [ISSUER],
    wait,
    tickets_per_minute: 0,
    desk: {
      connector: 'smtp',
      url: `smtp://127.0.0.1:${ports[at]}${tls ? '?requireTLS=true' : ''}`,
      from: `Support <support@${id}.example>`,
      to: `helpdesk@${id}.example`,
    },
  }))
  const issuers = [{ issuer: ISSUER, audience: AUDIENCE, jwks_file: issuer.jwksFile, algorithms: ['ES256'] }]
  const path = join(folder, 'many-brands.yaml')
  // JSON is YAML.
  await writeFile(path, JSON.stringify({ issuers, brands }), { mode: 0o600 })
  return path
}
