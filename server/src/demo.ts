import { hkdfSync, randomUUID } from 'node:crypto'
import { isMailbox } from '@bellhop/contract'
import { importJWK, SignJWT } from 'jose'
import type { Brand, BrandReply, BrandsFile } from './config/brands.ts'
import { DEFAULT_WAIT } from './config/brands-defaults.ts'
import { parseDuration } from './config/duration.ts'
import type { Environment } from './config/environment.ts'
import { readOrMakeDemoKey } from './demo-key.ts'
import { OperatorError } from './errors.ts'

/**
 * The demo: two brands and an issuer of tokens for them, so that the first ticket needs no set-up. They exist
 * only while no brands file is named. The name is under `.invalid` (RFC 2606, section 2), which nobody can own.
 */
export const DEMO_ISSUER = 'https://demo.bellhop.invalid'
export const DEMO_AUDIENCE = 'bellhop'
/** Whose Authentication-Results the demo brands believe (RFC 8601): those of `bellhop demo-mail`. */
export const DEMO_AUTHSERV_ID = 'demo.bellhop.invalid'

export const DEMO_NAMES: Record<string, string> = { acme: 'Acme', globex: 'Globex' }
const DEFAULT_TTL = '1h'
const TTL_LIMIT = 30 * 86_400_000
const SUBJECT_LIMIT = 200

/** Both brands trust the one demo issuer; the `brand` claim binds each token to one of them. */
export async function demoBrands(dataDir: string): Promise<BrandsFile> {
  const { publicKey, privateKey } = await readOrMakeDemoKey(dataDir)
  return {
    issuers: [
      {
        kind: 'jwt',
        issuer: DEMO_ISSUER,
        audience: DEMO_AUDIENCE,
        algorithms: ['ES256'],
        keys: { from: 'file', jwks: { keys: [publicKey] } },
      },
    ],
    brands: Object.entries(DEMO_NAMES).map(([id, name]) => demoBrand(id, name, demoReply(id, privateKey.d))),
  }
}

function demoBrand(id: string, name: string, reply: BrandReply): Brand {
  return {
    id,
    name,
    issuers: [DEMO_ISSUER],
    personClaim: 'sub',
    brandClaim: 'brand',
    requiredScope: null,
    trustedClients: [],
    wait: DEFAULT_WAIT,
    ticketsPerMinute: 0,
    origins: [],
    desk: { connector: 'inbox' },
    mail: null,
    reply,
    inbound: { imap: null, secret: null, trustedAuthservIds: [DEMO_AUTHSERV_ID], acceptNew: true },
    acknowledge: 'verified',
    answers: 'always',
    private: false,
    ticketUrl: null,
    templates: {},
  }
}

/**
 * Where answers to a demo brand's mail would come back to: nobody can own the domain. The key comes of the demo
 * issuer's own (RFC 5869), so that DATA_DIR holds one secret of the demo and not two.
 */
function demoReply(brandId: string, secret = ''): BrandReply {
  const key = Buffer.from(hkdfSync('sha256', secret, '', `bellhop demo reply ${brandId}`, 32))
  return { local: 'support', domain: `${brandId}.bellhop.invalid`, keys: [key] }
}

export type DemoTokenRequest = {
  brand: string
  person: string
  email?: string | undefined
  /** Scopes with single spaces between them. */
  scope?: string | undefined
  /** `90s`, `30m`, `1h`, `1d`; default 1h, at most 30d. */
  ttl?: string | undefined
}

/**
 * An access token of the demo issuer (RFC 9068), bound to one demo brand and one person.
 * @param now milliseconds since 1970
 * @throws OperatorError where a brands file is named, or with one line for each option that is wrong
 */
export async function mintDemoToken(
  environment: Pick<Environment, 'dataDir' | 'brandsFile'>,
  request: DemoTokenRequest,
  now: () => number = Date.now,
): Promise<string> {
  if (environment.brandsFile !== null) {
    throw new OperatorError(
      'The demo issuer exists only while BRANDS_FILE is unset: take a token from an issuer that the brands file names.',
    )
  }
  const { brand, person, email, scope } = request
  const lifetime = parseDuration(request.ttl ?? DEFAULT_TTL)
  const mistakes = mistakesOf(request, lifetime)
  if (lifetime === null || mistakes.length > 0) throw new OperatorError(mistakes.join('\n'))

  const { privateKey, kid } = await readOrMakeDemoKey(environment.dataDir)
  const issuedAt = Math.floor(now() / 1000)
  const claims = {
    brand,
    ...(scope === undefined ? {} : { scope }),
    ...(email === undefined ? {} : { email, email_verified: true }),
  }
  return new SignJWT(claims)
    .setProtectedHeader({ alg: 'ES256', typ: 'at+jwt', kid })
    .setIssuer(DEMO_ISSUER)
    .setAudience(DEMO_AUDIENCE)
    .setSubject(person)
    .setIssuedAt(issuedAt)
    .setExpirationTime(issuedAt + lifetime / 1000)
    .setJti(randomUUID())
    .sign(await importJWK(privateKey, 'ES256'))
}

function mistakesOf({ brand, person, email, scope }: DemoTokenRequest, lifetime: number | null): string[] {
  const mistakes: string[] = []
  if (!Object.hasOwn(DEMO_NAMES, brand)) {
    mistakes.push(`--brand: expected one of the demo brands ${Object.keys(DEMO_NAMES).join(', ')}`)
  }
  if (person === '' || person.length > SUBJECT_LIMIT || /\p{Cc}/u.test(person)) {
    mistakes.push('--person: expected 1 to 200 characters, without line breaks')
  }
  if (email !== undefined && !isMailbox(email)) mistakes.push('--email: expected an e-mail address')
  if (scope !== undefined && !/^[!#-[\]-~]+(?: [!#-[\]-~]+)*$/.test(scope)) {
    mistakes.push('--scope: expected scopes with single spaces between them, such as "a b"')
  }
  if (lifetime === null || lifetime < 1000 || lifetime % 1000 !== 0 || lifetime > TTL_LIMIT) {
    mistakes.push('--ttl: expected a duration such as 90s, 30m, 1h or 1d, from 1s to 30d')
  }
  return mistakes
}
