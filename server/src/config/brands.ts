/** What a brands file says once it has been read, with every default filled in. */

export const SIGNING_ALGORITHMS = [
  'ES256',
  'ES384',
  'ES512',
  'RS256',
  'RS384',
  'RS512',
  'PS256',
  'PS384',
  'PS512',
  'EdDSA',
] as const

/** Asymmetric ones only: `none` and HS* are not in the list, so that no configuration can let them in. */
export type SigningAlgorithm = (typeof SIGNING_ALGORITHMS)[number]

/** A set of public keys (RFC 7517, section 5). */
export type KeySet = { keys: Record<string, unknown>[] }

export type JwtIssuer = {
  kind: 'jwt'
  /** The exact `iss`. */
  issuer: string
  /** One that `aud` must hold. */
  audience: string
  algorithms: SigningAlgorithm[]
  /** Where its keys are: a URI, a set read at start, or OpenID discovery from `issuer`. */
  keys: { from: 'uri'; uri: string } | { from: 'file'; jwks: KeySet } | { from: 'discovery' }
}

export type IntrospectionIssuer = {
  kind: 'introspection'
  issuer: string
  /** One that `aud` must hold, where it is set. */
  audience: string | null
  endpoint: string
  clientId: string
  clientSecret: string
  /** Which opaque tokens are this issuer's; null where it is the only one that introspects. */
  tokenPrefix: string | null
}

export type Issuer = JwtIssuer | IntrospectionIssuer

/** A mailbox as a header writes it: the display name may be empty. */
export type Mailbox = { name: string; address: string }

export type InboxDesk = { connector: 'inbox' }
export type SmtpDesk = { connector: 'smtp'; url: string; from: Mailbox; to: Mailbox }
export type WebhookDesk = { connector: 'webhook'; url: string; secret: string }
export type DeskConfig = InboxDesk | SmtpDesk | WebhookDesk

export type Brand = {
  id: string
  name: string
  /** The issuers whose tokens speak for this brand. */
  issuers: string[]
  personClaim: string
  brandClaim: string
  requiredScope: string | null
  trustedClients: string[]
  /** How long an answer may wait for the desk, in milliseconds. */
  wait: number
  /** Of one person; 0: no limit. */
  ticketsPerMinute: number
  /** Browsers' origins that may call. */
  origins: string[]
  desk: DeskConfig
}

export type BrandsFile = { issuers: Issuer[]; brands: Brand[] }
