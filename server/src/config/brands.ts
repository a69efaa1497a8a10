import type { TemplateKind } from './template-check.ts'

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
export type SmtpDesk = {
  connector: 'smtp'
  url: string
  from: Mailbox
  to: Mailbox
  /**
   * `direct`: agents answer the requester themselves, from their mailbox. `through`: they answer the mail they got,
   * and Bellhop carries it on.
   */
  conversation: 'direct' | 'through'
  /** Who may answer from the desk: addresses, lower-case, or domains written `@acme.example`. */
  agents: string[]
}
export type WebhookDesk = { connector: 'webhook'; url: string; secret: string }
export type DeskConfig = InboxDesk | SmtpDesk | WebhookDesk

/** How mail to a brand's customers leaves. */
export type BrandMail = {
  /** As nodemailer reads it. */
  url: string
  from: Mailbox
  /** `key` is a private key in PEM (RFC 6376). */
  dkim: { domain: string; selector: string; key: string } | null
}

/** Where answers come back to: `<local>+<signature>@<domain>`. */
export type BrandReply = {
  local: string
  domain: string
  /** The first signs, all verify; each at least 32 bytes. */
  keys: Buffer[]
}

export type ImapMailbox = {
  host: string
  port: number
  /** TLS from the start, else STARTTLS where `requireTls`, else neither (loopback). */
  secure: boolean
  requireTls: boolean
  user: string
  pass: string
  mailbox: string
}

/** How mail comes in. */
export type BrandInbound = {
  imap: ImapMailbox | null
  /** Of raw mail by HTTP; null: none is taken. */
  secret: Buffer | null
  /** Whose Authentication-Results count (RFC 8601). */
  trustedAuthservIds: string[]
  /** Whether mail to the brand's own address may open a ticket. */
  acceptNew: boolean
}

/** A brand's own templates, as they were read; what it has none of is the default's. */
export type BrandTemplates = Partial<Record<TemplateKind, { subject?: string; text?: string; html?: string }>>

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
  /** Null: its customers get no mail. */
  mail: BrandMail | null
  reply: BrandReply | null
  inbound: BrandInbound | null
  /** Who is told by mail that their request came. */
  acknowledge: 'verified' | 'always' | 'never'
  /** Whose address gets the answers themselves; `verified`: another gets the private notice. */
  answers: 'verified' | 'always'
  /** Mail says that there is an answer, and nothing of what was said. */
  private: boolean
  /** Where a customer reads a ticket, with `{ticket_id}` in it; null: no link. */
  ticketUrl: string | null
  templates: BrandTemplates
}

export type BrandsFile = { issuers: Issuer[]; brands: Brand[] }
