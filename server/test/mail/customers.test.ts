import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import type { Brand } from '../../src/config.ts'
import type { ConversationDeps } from '../../src/conversation/conversation.ts'
import { say } from '../../src/conversation/say.ts'
import { fromId } from '../../src/ids.ts'
import { readReplyAddress } from '../../src/mail/reply-address.ts'
import { type Answer, brandOf, startBellhop, type TestBellhop } from '../bellhop.ts'
import { read } from '../connectors/a-mail.ts'
import { startMailSink } from '../connectors/mail-sink.ts'
import { answer } from '../conversation/scene.ts'
import { until } from '../database/embedded/processes.ts'

const REPLY = { local: 'support', domain: 'acme.example', keys: [Buffer.alloc(32, 1)] }
const PROVEN = { email: 'ada@example.com', email_verified: true }
const BRANDS: Record<string, Partial<Brand>> = {
  verified: {},
  always: { acknowledge: 'always' },
  never: { acknowledge: 'never' },
  private: { private: true, answers: 'verified' },
  careful: { acknowledge: 'never', answers: 'verified' },
  silent: { mail: null },
}

let bellhop: TestBellhop
let brands: Brand[]
let sink: Awaited<ReturnType<typeof startMailSink>>
beforeAll(async () => {
  sink = await startMailSink()
  const mail = {
    url: `smtp://127.0.0.1:${sink.port}`,
    from: { name: 'Acme', address: 'support@acme.example' },
    dkim: null,
  }
  bellhop = await startBellhop({
    brands(issuer) {
      brands = Object.entries(BRANDS).map(([id, settings]) =>
        brandOf(id, issuer, { mail, reply: REPLY, trustedClients: ['backend'], ...settings }),
      )
      return brands
    },
  })
})
afterEach(() => {
  sink.mails.length = 0
})
afterAll(async () => {
  await bellhop.stop()
  await sink.close()
})

describe('a request came, and its requester is told', () => {
  test.each([
    ['verified', PROVEN, 1],
    ['verified', {}, 0],
    ['verified', { ...PROVEN, email_verified: false }, 0],
    ['verified', { ...PROVEN, email: 'eve@example.com' }, 0],
    ['verified', { sub: 'backend', client_id: 'backend' }, 1],
    ['always', {}, 1],
    ['never', PROVEN, 0],
    ['private', PROVEN, 1],
    ['silent', PROVEN, 0],
  ] as const)('brand %s, token %j: %i mails', async (brandId, claims, count) => {
    const filed = await file(brandId, claims)
    expect(await promised(filed)).toEqual(Array.from({ length: count }, () => 'acknowledgement'))
    await until(() => sink.mails.length === count)
    if (count === 0) return
    const { bytes, from } = sink.mails[0] ?? { bytes: Buffer.alloc(0) }
    const mail = await read(bytes)
    expect(from).toBe('')
    expect(mail.headers.get('auto-submitted')).toBe('auto-replied')
    expect(mail.subject).toBe(
      brandId === 'private' ? 'We received your request' : 'Re: My order has not arrived',
    )
    const replyTo = mail.replyTo?.value[0]?.address ?? ''
    const signed = readReplyAddress(REPLY, { brandId, address: replyTo })
    expect(signed?.ticketId).toBe(fromId('tkt', String(filed.body.ticket_id)))
    expect(signed?.verify('ada@example.com')).toBe(true)
  })

  test('once, however often the request is made again', async () => {
    const headers = { 'idempotency-key': 'once' }
    const filed = await file('verified', PROVEN, headers)
    const again = await file('verified', PROVEN, headers)
    expect(again.headers.get('idempotency-replayed')).toBe('true')
    expect(await promised(filed)).toEqual(['acknowledgement'])
    await until(() => sink.mails.length === 1)
  })

  test('and the ticket says whether the address is known to be theirs', async () => {
    const ids = [await file('silent', PROVEN), await file('silent', {})].map(({ body }) =>
      fromId('tkt', String(body.ticket_id)),
    )
    const proven = await bellhop.sql<{ id: string; proven: boolean }[]>`
      SELECT id, address_proven AS proven FROM tickets WHERE brand_id = 'silent' AND id IN ${bellhop.sql(ids)}`
    expect(ids.map((id) => proven.find((row) => row.id === id)?.proven)).toEqual([true, false])
  })
})

describe('an answer is given', () => {
  test.each([
    ['never', PROVEN, 'message'],
    ['never', {}, 'message'],
    ['careful', PROVEN, 'message'],
    ['careful', {}, 'notice'],
    ['private', {}, 'notice'],
  ] as const)('brand %s, token %j: %s', async (brandId, claims, kind) => {
    const filed = await file(brandId, claims)
    const deps: ConversationDeps = {
      brands: new Map(brands.map((brand) => [brand.id, brand])),
      connectorOf: () => ({ name: 'inbox', atCommit: true }) as ReturnType<ConversationDeps['connectorOf']>,
    }
    const ticketId = fromId('tkt', String(filed.body.ticket_id)) ?? ''
    const messageId = fromId('msg', String(filed.body.message_id)) ?? ''
    await bellhop.sql.begin((tx) =>
      say(tx, deps, answer({ brandId, ticketId, messageId }, { body: 'It is on its way: canary.' })),
    )
    await until(() => sink.mails.length === 1)
    const { bytes, from, to } = sink.mails[0] ?? { bytes: Buffer.alloc(0) }
    const mail = await read(bytes)
    expect([from, to]).toEqual(['support@acme.example', ['ada@example.com']])
    expect(mail.text?.includes('canary')).toBe(kind === 'message')
    expect(bytes.includes('canary')).toBe(kind === 'message')
    expect(mail.subject).toBe(
      kind === 'message' ? 'Re: My order has not arrived' : 'There is an answer to your request',
    )
    expect(mail.messageId).toMatch(/^<dlv_[0-9a-f]{32}@acme\.example>$/)
  })
})

async function file(
  brandId: string,
  claims: Record<string, unknown>,
  headers: Record<string, string> = {},
): Promise<Answer> {
  const authorization = `Bearer ${await bellhop.issuer.token(claims)}`
  const filed = await bellhop.file({ brand_id: brandId }, { authorization, ...headers })
  expect(filed.status).toBe(201)
  return filed
}

/** What the customer was promised with the ticket. */
async function promised({ body }: Answer): Promise<string[]> {
  const rows = await bellhop.sql<{ kind: string }[]>`
    SELECT d.kind FROM deliveries d JOIN messages m ON m.brand_id = d.brand_id AND m.id = d.message_id
    WHERE m.ticket_id = ${fromId('tkt', String(body.ticket_id))} AND d.side = 'customer'`
  return rows.map(({ kind }) => kind)
}
