import { Webhook } from 'standardwebhooks'
import type { Brand } from '../../src/config.ts'
import { type Answer, brandOf, type TestBellhop } from '../bellhop.ts'
import type { TestIssuer } from '../http/tokens/test-issuer.ts'

export const SECRET = `whsec_${Buffer.alloc(24, 9).toString('base64')}`
const OTHER_SECRET = `whsec_${Buffer.alloc(24, 8).toString('base64')}`

/**
 * `acme` and `globex` have a webhook desk each, at an address where nobody listens; `acme` mails its customers.
 * `initech` has the built-in inbox.
 */
export function webhookBrands(issuer: TestIssuer, mailPort: number): Brand[] {
  const desk = { connector: 'webhook' as const, url: 'http://127.0.0.1:9/' }
  const mail = {
    url: `smtp://127.0.0.1:${mailPort}`,
    from: { name: 'Acme', address: 'support@acme.example' },
    dkim: null,
  }
  return [
    brandOf('acme', issuer, { desk: { ...desk, secret: SECRET }, mail, wait: 0 }),
    brandOf('globex', issuer, { desk: { ...desk, secret: OTHER_SECRET }, wait: 0 }),
    brandOf('initech', issuer),
  ]
}

export type Posting = {
  brandId?: string
  id?: string
  /** Of the signature. */
  at?: Date
  secret?: string
  headers?: Record<string, string>
}

let made = 0

/** A desk that answers by webhook, with the scheme's own library as its signer. */
export async function post(
  bellhop: TestBellhop,
  ticketId: unknown,
  body: unknown,
  posting: Posting = {},
): Promise<Answer> {
  const { brandId = 'acme', id = `msg_desk_${made++}`, at = new Date(), secret = SECRET } = posting
  const text = typeof body === 'string' ? body : JSON.stringify(body)
  return bellhop.ask(`/v1/desk/${brandId}/tickets/${ticketId}/messages`, {
    method: 'POST',
    headers: {
      'content-type': 'application/json',
      'webhook-id': id,
      'webhook-timestamp': String(Math.floor(at.getTime() / 1000)),
      'webhook-signature': new Webhook(secret).sign(id, at, text),
      ...posting.headers,
    },
    body: text,
  })
}
