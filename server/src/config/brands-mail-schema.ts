import { isMailbox } from '@bellhop/contract'
import Type from 'typebox'
import { mailbox, plainText, text } from './schema-text.ts'
import { secretBytes, webhookSecretBytes } from './secret-text.ts'
import { isTicketUrl } from './web-address.ts'

/** The part of the brands file that speaks of mail to and from a brand's customers. */

/** What the signature leaves of the 64 octets before an `@` (RFC 5321, section 4.5.3.1.1): `support` and 12 more. */
export const REPLY_LOCAL_LIMIT = 19
/** A signature is no stronger than its key, and RFC 2104 wants one as long as the digest. */
const KEY_BYTES = 32

export const path = text("a file's path, from the folder of this file", (text) => text !== '')

const HOST_NAME =
  '(?=[^@]{1,253}$)[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?(?:\\.[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?)*'
const isHostName = (text: string) => new RegExp(`^${HOST_NAME}$`).test(text)

export const smtpUrl = Type.String({ expected: 'smtp://host:port or smtps://host:port' })

export const Agents = Type.Array(
  text(
    'an address such as ada@acme.example, or a domain such as @acme.example',
    (text) => isMailbox(text) || isHostName(text.replace(/^@/, '')),
  ),
  { expected: 'a list of addresses and domains' },
)

export const Conversation = Type.Enum(['direct', 'through'], { expected: 'direct or through' })

export const Mail = Type.Object({
  url: smtpUrl,
  from: mailbox,
  dkim: Type.Optional(
    Type.Object({
      domain: text('a domain such as acme.example', isHostName),
      selector: text('the name of a key under _domainkey of the domain', isHostName),
      key_file: path,
    }),
  ),
})

export const Reply = Type.Object({
  address: text(
    `one address without a name, such as support@acme.example: at most ${REPLY_LOCAL_LIMIT} of A-Z a-z 0-9 . _ - before the @`,
    (text) => {
      const [local = '', domain = '', ...rest] = text.split('@')
      return (
        new RegExp(`^[A-Za-z0-9._-]{1,${REPLY_LOCAL_LIMIT}}$`).test(local) &&
        isHostName(domain) &&
        rest.length === 0 &&
        isMailbox(text)
      )
    },
  ),
  keys: Type.Array(
    text(`at least ${KEY_BYTES} random bytes in base64`, (text) => secretBytes(text, KEY_BYTES) !== null),
    { minItems: 1, expected: 'a list of at least one key, the newest first' },
  ),
})

export const Inbound = Type.Object({
  // What is wrong with one is told by a rule, which has more than one sentence for it.
  imap: Type.Optional(Type.String({ expected: 'imaps://user:password@host:993/INBOX' })),
  secret: Type.Optional(
    text(
      `at least ${KEY_BYTES} random bytes in base64, or whsec_ and then 24 to 64 bytes in base64`,
      (text) => inboundSecret(text) !== null,
    ),
  ),
  trusted_authserv_ids: Type.Optional(
    Type.Array(
      text('the authserv-id that your mail server writes, such as mx.acme.example', (text) =>
        /^[A-Za-z0-9._-]{1,253}$/.test(text),
      ),
      { expected: 'a list of authserv-ids' },
    ),
  ),
  accept_new: Type.Optional(Type.Boolean({ expected: 'true or false' })),
})

const Template = Type.Object({
  subject: Type.Optional(plainText),
  text: Type.Optional(path),
  html: Type.Optional(path),
})

export const Templates = Type.Object({
  acknowledgement: Type.Optional(Template),
  message: Type.Optional(Template),
  notice: Type.Optional(Template),
})

export const mailSettings = {
  mail: Type.Optional(Mail),
  reply: Type.Optional(Reply),
  inbound: Type.Optional(Inbound),
  acknowledge: Type.Optional(
    Type.Enum(['verified', 'always', 'never'], { expected: 'one of verified, always, never' }),
  ),
  answers: Type.Optional(Type.Enum(['verified', 'always'], { expected: 'one of verified, always' })),
  private: Type.Optional(Type.Boolean({ expected: 'true or false' })),
  ticket_url: Type.Optional(
    text('an https:// URL with {ticket_id} in its path or behind it (http:// only to loopback)', isTicketUrl),
  ),
  templates: Type.Optional(Templates),
}

/** The bytes of `inbound.secret`, or null where it is written otherwise. */
export function inboundSecret(text: string): Buffer | null {
  return webhookSecretBytes(text) ?? secretBytes(text, KEY_BYTES)
}
