import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { Brand } from '../../src/config.ts'
import { startBellhop, type TestBellhop } from '../bellhop.ts'
import { until } from '../database/embedded/processes.ts'
import { type MailDesk, mailBrand, messageIds, startMailDesk } from '../deliveries/mail-desk.ts'

let customers: MailDesk
let bellhop: TestBellhop
beforeEach(async () => {
  customers = await startMailDesk()
})
afterEach(async () => {
  await bellhop.stop()
  await customers.close()
})

async function start(settings: Partial<Brand> = {}): Promise<void> {
  const from = { name: 'Acme', address: 'hello@acme.example' }
  bellhop = await startBellhop({
    brands: (issuer) => [
      {
        ...mailBrand('acme', issuer, customers),
        desk: { connector: 'inbox' },
        mail: { url: customers.desk.url, from, dkim: null },
        trustedClients: ['shop'],
        ...settings,
      },
    ],
  })
}

const bearing = async (claims: Record<string, unknown>) => ({
  authorization: `Bearer ${await bellhop.issuer.token(claims)}`,
})
const ADA = { email: 'ada@EXAMPLE.com', email_verified: true }
const SHOP = { sub: 'shop', client_id: 'shop' }
const promised = async () =>
  bellhop.sql`
    SELECT recipient, mail_message_id FROM deliveries WHERE side = 'customer' AND kind = 'acknowledgement' ORDER BY id`
const proven = async () =>
  (await bellhop.sql`SELECT address_proven FROM tickets ORDER BY id`).map((row) => row.address_proven)

test('who files with an address that their token proves hears that it came', async () => {
  await start()
  await bellhop.file({}, await bearing(ADA))
  await until(() => customers.mails.length === 1)
  const [row] = await promised()
  expect(row?.recipient).toBe('ada@example.com')
  expect(messageIds(customers.mails)).toEqual([row?.mail_message_id])
  expect(await proven()).toEqual([true])
})

describe('to another address', () => {
  test.each([
    ['not verified', { email: 'ada@example.com', email_verified: false }],
    ['verified, as it were', { email: 'ada@example.com', email_verified: 'true' }],
    ["somebody else's", { email: 'eve@example.com', email_verified: true }],
    ['of another local part', { email: 'Ada@example.com', email_verified: true }],
    ['none', {}],
  ])('nothing is sent, unless the brand says so: %s', async (_what, claims) => {
    await start()
    const headers = await bearing(claims)
    await bellhop.file({}, headers)
    expect([await promised(), await proven()]).toEqual([[], [false]])
  })

  test('it is where a trusted client files', async () => {
    await start()
    await bellhop.file({}, await bearing(SHOP))
    expect([(await promised()).length, await proven()]).toEqual([1, [true]])
  })

  test('it is where the brand always does, and never where it never does', async () => {
    await start({ acknowledge: 'always' })
    await bellhop.file()
    expect([(await promised()).length, await proven()]).toEqual([1, [false]])
    await bellhop.stop()
    await start({ acknowledge: 'never' })
    await bellhop.file({}, await bearing(ADA))
    expect(await promised()).toEqual([])
  })
})

test('a replay, and an address that bounced, are not acknowledged', async () => {
  await start()
  const headers = { ...(await bearing(ADA)), 'idempotency-key': 'one' }
  await bellhop.file({}, headers)
  await bellhop.file({}, headers)
  expect(await promised()).toHaveLength(1)
  await bellhop.sql`INSERT INTO bounced_addresses (brand_id, address, code) VALUES ('acme', 'ada@example.com', '5.1.1')`
  await bellhop.file({}, await bearing(ADA))
  expect(await promised()).toHaveLength(1)
  expect(await proven()).toEqual([true, true])
})

test('one address hears of ten tickets within an hour, also of those that come at once', async () => {
  await start()
  const headers = await bearing(ADA)
  for (let ticket = 0; ticket < 4; ticket++) await bellhop.file({}, headers)
  const at = Array.from({ length: 30 }, () => bellhop.file({}, headers))
  for (const { status } of await Promise.all(at)) expect(status).toBe(201)
  // Statements at the same time do not see each other's.
  const { length } = await promised()
  expect(length).toBeGreaterThanOrEqual(10)
  expect(length).toBeLessThan(34)
  await bellhop.file({}, headers)
  expect(await promised()).toHaveLength(length)
  const other = { email: 'bob@example.com' }
  await bellhop.file({ requester_email: other.email }, await bearing({ ...other, email_verified: true }))
  expect(await promised()).toHaveLength(length + 1)
})

test('in whatever case an address is written, its bound is one', async () => {
  await start({ acknowledge: 'always' })
  for (let bits = 0; bits < 14; bits++) {
    const local = [...'victim'].map((char, at) => ((bits >> at) & 1 ? char.toUpperCase() : char)).join('')
    const { status } = await bellhop.file({ requester_email: `${local}@example.com` })
    expect(status).toBe(201)
  }
  expect(await promised()).toHaveLength(10)
})
