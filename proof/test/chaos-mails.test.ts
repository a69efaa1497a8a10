import { Resolver } from 'node:dns/promises'
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import type { Sql } from '../../server/src/database/pool.ts'
import { newUuid, toId } from '../../server/src/ids.ts'
import { createTestDatabase, type TestDatabase } from '../../server/test/database/test-database.ts'
import { DnsServer } from '../chaos/dns-server.ts'
import { MailLedger } from '../chaos/mail-ledger.ts'
import { mailsOf } from '../inbound/answers.ts'

let database: TestDatabase
let sql: Sql
let ledger: MailLedger
beforeAll(async () => {
  database = await createTestDatabase()
  sql = database.sql
})
afterAll(() => database.stop())
beforeEach(async () => {
  await sql`DELETE FROM inbound_mails`
  await sql`DELETE FROM messages`
  ledger = new MailLedger()
})

const next = mailsOf(3000, () => 'support@acme.example')
const idOf = (mail: Buffer) => /^Message-ID: (\S+)\r$/m.exec(mail.toString('latin1'))?.[1] ?? ''

/** A mail that was acknowledged, and is settled as this with so many messages. */
async function take(settledAs: string | null, messages: number, mail = next()): Promise<Buffer> {
  const [id, ticket] = [newUuid(), newUuid()]
  ledger.note(mail, {
    status: 201,
    headers: new Map(),
    body: JSON.stringify({ inbound_id: toId('inb', id) }),
  })
  await sql`
    INSERT INTO inbound_mails (brand_id, id, way, size, state, settled_as, settled_at, mail_message_id)
    VALUES ('acme', ${id}, 'http', 1, ${settledAs === null ? 'received' : 'settled'}, ${settledAs},
      ${settledAs === null ? null : new Date()}, ${idOf(mail)})`
  for (let message = 0; message < messages; message++) {
    await sql`INSERT INTO tickets (brand_id, id, via, requester_email, subject)
      VALUES ('acme', ${ticket}, 'mail', 'e', 's') ON CONFLICT DO NOTHING`
    await sql`INSERT INTO messages (brand_id, id, ticket_id, author, body, inbound_mail_id)
      VALUES ('acme', ${newUuid()}, ${ticket}, 'customer', 'b', ${id})`
  }
  return mail
}

async function broken(): Promise<string[]> {
  const { checks } = await ledger.compare(sql)
  return checks.filter(({ ok }) => !ok).map(({ what, seen }) => `${what}: ${seen}`)
}

test('each mail that made one message holds, and one that came twice and was known', async () => {
  const mail = await take('new_ticket', 1)
  await take('duplicate', 0, mail)
  expect(await ledger.compare(sql)).toMatchObject({ acknowledged: 1, present: 1 })
  expect(await broken()).toEqual([])
})

test('what is lost, waits, made nothing, made two or lies in quarantine is found', async () => {
  ledger.note(next(), {
    status: 201,
    headers: new Map(),
    body: JSON.stringify({ inbound_id: toId('inb', newUuid()) }),
  })
  await take(null, 0)
  await take('reply', 2)
  await take('quarantined', 0)
  ledger.note(next(), { status: 500, headers: new Map(), body: '' })
  expect(await broken()).toEqual([
    'lost: 1',
    'not settled: 1',
    'made no message: 3',
    'made two messages: 1',
    'quarantined: 1',
    'answers other than 200, 201, 429, 503: 1',
  ])
})

test('a mail that lies in a mailbox is found by its Message-ID', async () => {
  const [kept, lost] = [next(), next()]
  for (const mail of [kept, lost]) ledger.deliver(mail)
  const before = ledger.taken.get(idOf(kept))
  await take('new_ticket', 1, kept)
  ledger.taken.set(idOf(kept), before ?? null)
  expect(await broken()).toEqual(['lost: 1', 'made no message: 1'])
})

test('the DNS of the row knows its records, and is silent or fails when it is told to', async () => {
  const long = `v=DKIM1; p=${'A'.repeat(400)}`
  const server = await DnsServer.start({ '_dmarc.example.com': 'v=DMARC1; p=none', 'k.example.com': long })
  const resolver = new Resolver({ timeout: 100, tries: 1 })
  resolver.setServers([`127.0.0.1:${server.port}`])
  expect(await resolver.resolveTxt('_dmarc.Example.com')).toEqual([['v=DMARC1; p=none']])
  expect((await resolver.resolveTxt('k.example.com')).map((strings) => strings.join(''))).toEqual([long])
  await expect(resolver.resolveTxt('nowhere.example.com')).rejects.toMatchObject({ code: 'ENOTFOUND' })
  server.mood = 'failing'
  await expect(resolver.resolveTxt('k.example.com')).rejects.toMatchObject({ code: 'ESERVFAIL' })
  server.mood = 'silent'
  await expect(resolver.resolveTxt('k.example.com')).rejects.toMatchObject({ code: 'ETIMEOUT' })
  server.close()
})
