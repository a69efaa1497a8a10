import Type from 'typebox'
import { SIGNING_ALGORITHMS } from './brands.ts'
import { Agents, Conversation, mailSettings, path, smtpUrl } from './brands-mail-schema.ts'
import { parseDuration } from './duration.ts'
import { mailbox, plainText, text } from './schema-text.ts'
import { webhookSecretBytes } from './secret-text.ts'
import { isCallableUrl, isIssuerUrl, isOrigin } from './web-address.ts'

/**
 * The brands file as people write it. `expected` is the end of the sentence that an operator reads where the
 * file says something else: "expected …".
 */

const WAIT_LIMIT = 30_000

/** VSCHAR (RFC 6749, appendix A), which is all that a client's id and secret may hold. */
const clientText = text('a text of printable ASCII', (text) => /^[ -~]{1,1024}$/.test(text))

const callableUrl = text('an https:// URL (http:// only to loopback)', isCallableUrl)
const issuerUrl = text(
  'the exact iss of its tokens, an https:// URL without a query (http:// only for loopback)',
  isIssuerUrl,
)
const wait = text('a duration such as 2s or 500ms, from 0s to 30s', (text) => {
  const duration = parseDuration(text)
  return duration !== null && duration <= WAIT_LIMIT
})

const Introspection = Type.Object({
  endpoint: callableUrl,
  client_id: clientText,
  client_secret: clientText,
  // b64token (RFC 6750, section 2.1), as every bearer token is.
  token_prefix: Type.Optional(
    text('1 to 64 of the characters that a token may hold', (text) => /^[\w.~+/-]{1,64}$/.test(text)),
  ),
})

const Issuer = Type.Object({
  issuer: issuerUrl,
  audience: Type.Optional(plainText),
  jwks_uri: Type.Optional(callableUrl),
  jwks_file: Type.Optional(path),
  algorithms: Type.Optional(
    Type.Array(
      Type.Enum([...SIGNING_ALGORITHMS], {
        expected: `one of ${SIGNING_ALGORITHMS.join(', ')}; never none or HS*`,
      }),
      { minItems: 1, expected: 'a list of at least one signing algorithm' },
    ),
  ),
  introspection: Type.Optional(Introspection),
})

const Desk = Type.Union(
  [
    Type.Object({ connector: Type.Literal('inbox') }),
    Type.Object({
      connector: Type.Literal('smtp'),
      url: smtpUrl,
      from: mailbox,
      to: mailbox,
      conversation: Type.Optional(Conversation),
      agents: Type.Optional(Agents),
    }),
    Type.Object({
      connector: Type.Literal('webhook'),
      url: callableUrl,
      secret: text(
        'whsec_ and then 24 to 64 bytes in base64, as Standard Webhooks says',
        (text) => webhookSecretBytes(text) !== null,
      ),
    }),
  ],
  { discriminator: 'connector', expected: 'one of inbox, smtp, webhook' },
)

const Brand = Type.Object({
  id: text('1 to 64 of A-Z a-z 0-9 . _ -, the first a letter or a digit', (text) =>
    /^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/.test(text),
  ),
  name: plainText,
  issuers: Type.Array(Type.String({ expected: 'the issuer of an entry under issuers' }), {
    minItems: 1,
    expected: 'a list of at least one issuer',
  }),
  person_claim: Type.Optional(plainText),
  brand_claim: Type.Optional(plainText),
  required_scope: Type.Optional(
    // scope-token (RFC 6749, section 3.3).
    Type.Union([text('', (text) => /^[!#-[\]-~]+$/.test(text)), Type.Null()], {
      expected: 'one scope, without spaces, or null',
    }),
  ),
  trusted_clients: Type.Optional(Type.Array(clientText, { expected: 'a list of client ids' })),
  wait: Type.Optional(wait),
  tickets_per_minute: Type.Optional(
    Type.Integer({ minimum: 0, maximum: 1_000_000, expected: 'a whole number from 0 to 1000000' }),
  ),
  origins: Type.Optional(
    Type.Array(
      text(
        'an origin as a browser sends it, such as https://app.acme.example: lower case, no path, no *',
        isOrigin,
      ),
      { expected: 'a list of origins' },
    ),
  ),
  desk: Desk,
  ...mailSettings,
})

export const BrandsFileSchema = Type.Object({
  issuers: Type.Array(Issuer, { minItems: 1, expected: 'a list of at least one issuer' }),
  brands: Type.Array(Brand, { minItems: 1, expected: 'a list of at least one brand' }),
})

/** The file's own words, before defaults. */
export type WrittenFile = Type.Static<typeof BrandsFileSchema>
export type WrittenIssuer = WrittenFile['issuers'][number]
export type WrittenBrand = WrittenFile['brands'][number]
