import type { BrandFiles } from './brand-files.ts'
import type { Brand, BrandsFile, DeskConfig, Issuer, KeySet, SigningAlgorithm } from './brands.ts'
import { inboundOf, mailOf, replyOf } from './brands-mail-defaults.ts'
import type { WrittenBrand, WrittenFile, WrittenIssuer } from './brands-schema.ts'
import { checked, mailboxOf } from './checked.ts'
import { parseDuration } from './duration.ts'

export const DEFAULT_ALGORITHMS: SigningAlgorithm[] = ['ES256', 'RS256', 'PS256', 'EdDSA']

/** Milliseconds. */
export const DEFAULT_WAIT = 2000

/**
 * A checked file with every default filled in.
 * @param keySets the key sets that were read from files, by the index of their issuer
 * @param brandFiles what each brand's own files say, in its place
 */
export function withDefaults(
  file: WrittenFile,
  keySets: Map<number, KeySet>,
  brandFiles: BrandFiles[],
): BrandsFile {
  return {
    issuers: file.issuers.map((issuer, index) => issuerOf(issuer, keySets.get(index))),
    brands: file.brands.map((brand, index) => brandOf(brand, checked(brandFiles[index]))),
  }
}

function issuerOf(written: WrittenIssuer, jwks: KeySet | undefined): Issuer {
  const { issuer, introspection } = written
  if (introspection !== undefined) {
    return {
      kind: 'introspection',
      issuer,
      audience: written.audience ?? null,
      endpoint: introspection.endpoint,
      clientId: introspection.client_id,
      clientSecret: introspection.client_secret,
      tokenPrefix: introspection.token_prefix ?? null,
    }
  }
  return {
    kind: 'jwt',
    issuer,
    audience: checked(written.audience),
    algorithms: written.algorithms ?? [...DEFAULT_ALGORITHMS],
    keys: keysOf(written, jwks),
  }
}

function keysOf(written: WrittenIssuer, jwks: KeySet | undefined) {
  if (written.jwks_uri !== undefined) return { from: 'uri', uri: written.jwks_uri } as const
  if (written.jwks_file !== undefined) return { from: 'file', jwks: checked(jwks) } as const
  return { from: 'discovery' } as const
}

function brandOf(written: WrittenBrand, files: BrandFiles): Brand {
  const { wait } = written
  return {
    id: written.id,
    name: written.name,
    issuers: [...new Set(written.issuers)],
    personClaim: written.person_claim ?? 'sub',
    brandClaim: written.brand_claim ?? 'brand',
    requiredScope: written.required_scope ?? null,
    trustedClients: written.trusted_clients ?? [],
    wait: wait === undefined ? DEFAULT_WAIT : checked(parseDuration(wait)),
    ticketsPerMinute: written.tickets_per_minute ?? 30,
    origins: written.origins ?? [],
    desk: deskOf(written.desk),
    mail: mailOf(written.mail, files.dkimKey),
    reply: replyOf(written.reply),
    inbound: inboundOf(written.inbound),
    acknowledge: written.acknowledge ?? 'verified',
    answers: written.answers ?? (written.private === true ? 'verified' : 'always'),
    private: written.private ?? false,
    ticketUrl: written.ticket_url ?? null,
    templates: files.templates,
  }
}

function deskOf(written: WrittenBrand['desk']): DeskConfig {
  if (written.connector !== 'smtp') return { ...written }
  return {
    ...written,
    from: mailboxOf(written.from),
    to: mailboxOf(written.to),
    conversation: written.conversation ?? 'direct',
    agents: (written.agents ?? []).map(agentOf),
  }
}

/** An address, or `@domain`; in lower case, as they are compared. */
function agentOf(text: string): string {
  return (text.includes('@') ? text : `@${text}`).toLowerCase()
}
