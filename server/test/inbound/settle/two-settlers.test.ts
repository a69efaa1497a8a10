import { afterAll, beforeAll, expect, it } from 'vitest'
import { fromId } from '../../../src/ids.ts'
import { signReplyAddress } from '../../../src/mail/reply-address.ts'
import { brandOf, startBellhop, type TestBellhop } from '../../bellhop.ts'
import { until } from '../../database/embedded/processes.ts'
import { SECRET, signed } from '../ways/signed-request.ts'
import { AUTHSERV, anEmail } from './an-email.ts'

const REPLY = { local: 'support', domain: 'acme.example', keys: [Buffer.alloc(32, 2)] }
const INBOUND = { imap: null, secret: SECRET, trustedAuthservIds: [AUTHSERV], acceptNew: false }

let bellhop: TestBellhop
let other: TestBellhop
beforeAll(async () => {
  const brands = (issuer: { url: string }) => [brandOf('acme', issuer, { reply: REPLY, inbound: INBOUND })]
  bellhop = await startBellhop({ brands })
  other = await startBellhop({ brands, beside: bellhop })
})
afterAll(async () => {
  await other.stop()
  await bellhop.stop()
})

async function bring(at: TestBellhop, raw: Buffer): Promise<void> {
  const { status } = await at.ask('/v1/inbound/acme', {
    method: 'POST',
    headers: signed(raw),
    body: new Uint8Array(raw),
  })
  expect(status).toBe(201)
}

async function settledAs(): Promise<Record<string, number>> {
  const [left] = await bellhop.sql`SELECT count(*)::int AS count FROM inbound_mails WHERE state = 'received'`
  if (left?.count !== 0) return {}
  const rows = await bellhop.sql<{ end: string; count: number }[]>`
    SELECT concat_ws(' ', settled_as, reason) AS end, count(*)::int AS count FROM inbound_mails GROUP BY 1`
  return Object.fromEntries(rows.map(({ end, count }) => [end, count]))
}

it('two processes settle each mail once, and a loop ends at its bound though many are in hand at once', {
  timeout: 60_000,
}, async () => {
  const filed = await bellhop.file()
  const ticketId = fromId('tkt', String(filed.body.ticket_id)) ?? ''
  const recipient = 'ada@example.com'
  const to = signReplyAddress(REPLY, { brandId: 'acme', ticketId, side: 'customer', recipient })
  // Nobody settles until all are there.
  await bellhop.sql`ALTER TABLE inbound_mails ALTER COLUMN due_at SET DEFAULT now() + interval '1 hour'`
  const mails = Array.from({ length: 40 }, (_, index) => anEmail({ to, text: `I am away, ${index}.` }))
  await Promise.all(mails.map((raw, index) => bring(index % 2 === 0 ? bellhop : other, raw)))
  // One of them once more, as another request brings it.
  await bellhop.sql`
    INSERT INTO inbound_mails (brand_id, id, way, sha256, size)
    SELECT brand_id, gen_random_uuid(), way, sha256, size FROM inbound_mails LIMIT 1`
  await bellhop.sql`UPDATE inbound_mails SET due_at = now()`
  const settled = await until(async () => {
    const ends = await settledAs()
    return Object.keys(ends).length > 0 && ends
  })
  const { reply = 0, duplicate = 0, 'quarantined loop': loop = 0, ...others } = settled
  expect(others).toEqual({})
  expect(reply).toBe(20)
  expect(reply + duplicate + loop).toBe(41)
  const [said] = await bellhop.sql`SELECT count(*)::int AS count FROM messages WHERE via = 'mail'`
  expect(said?.count).toBe(20)
})
