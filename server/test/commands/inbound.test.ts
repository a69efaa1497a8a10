import { userInfo } from 'node:os'
import { dirname } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { fromId } from '../../src/ids.ts'
import { brandOf, startBellhop, type TestBellhop } from '../bellhop.ts'
import { until } from '../database/embedded/processes.ts'
import { AUTHSERV, anEmail } from '../inbound/settle/an-email.ts'
import { SECRET, signed } from '../inbound/ways/signed-request.ts'
import { type Ended, openShell, type Shell } from './command-line.ts'

const INBOUND = { imap: null, secret: SECRET, trustedAuthservIds: [AUTHSERV], acceptNew: false }

let bellhop: TestBellhop
let shell: Shell
let environment: NodeJS.ProcessEnv
beforeAll(async () => {
  bellhop = await startBellhop({ brands: (issuer) => [brandOf('acme', issuer, { inbound: INBOUND })] })
  shell = await openShell()
  const { endpoint } = bellhop
  if (endpoint.kind !== 'socket') throw new Error('it is reached by its socket')
  const { user, password, path, database } = endpoint
  environment = {
    DATA_DIR: bellhop.dataDir,
    DATABASE_URL: `postgresql://${user}:${encodeURIComponent(password)}@/${database}?host=${encodeURIComponent(dirname(path))}`,
    BRANDS_FILE: await shell.writeBrands(`issuers:
  - { issuer: '${bellhop.issuer.url}', audience: bellhop, jwks_uri: '${bellhop.issuer.url}/jwks' }
brands:
  - { id: acme, name: Acme, issuers: ['${bellhop.issuer.url}'], desk: { connector: inbox } }
`),
  }
})
afterAll(async () => {
  await shell.stop()
  await bellhop.stop()
})

const run = (...args: string[]): Promise<Ended> => shell.run(['inbound', ...args], environment)

/** A mail comes to `acme` and lies in quarantine. @returns its id */
async function lie(raw: Buffer): Promise<string> {
  const { body } = await bellhop.ask('/v1/inbound/acme', {
    method: 'POST',
    headers: signed(raw),
    body: new Uint8Array(raw),
  })
  const id = String(body.inbound_id)
  await until(async () => {
    const rows = await bellhop.sql`
      SELECT FROM inbound_mails WHERE id = ${fromId('inb', id)} AND settled_as = 'quarantined'`
    return rows.length === 1
  })
  return id
}

/** A window's title, the C1 way to begin a colour, a line that reads backwards, and one that overwrites. */
const HOSTILE = 'x\u001b]0;owned\u0007\u009b31m\u202egnihton\rover'
/** Control and format characters, but for the line's end. */
const UNSAFE = /(?!\n)[\p{Cc}\p{Cf}]/u

test('the operator sees what lies there, and no terminal does what it says', async () => {
  const raw = anEmail({
    from: '"=?utf-8?Q?Eve_=C2=9B31m=E2=80=AE?=" <eve@example.com>',
    subject: '=?utf-8?Q?Help_=1B]0;owned=07_=C2=9B31m_=E2=80=AE?=',
    text: HOSTILE,
    files: [{ name: 'a\u009b31m.txt', type: 'text/plain', content: HOSTILE }],
  })
  const id = await lie(raw)
  const listed = await run('list')
  expect(listed.out).toMatch(new RegExp(`^${id} +acme +no_ticket +eve@example\\.com +yes`, 'm'))
  expect((await run('list', '--brand', 'nobody')).out).toBe('No mail lies in quarantine.\n')
  for (const args of [
    ['list', '--json'],
    ['show', id],
    ['show', id, '--json'],
  ]) {
    const { status, out } = await run(...args)
    expect([status, out.includes('no_ticket')]).toEqual([0, true])
    expect(out).not.toMatch(UNSAFE)
  }
  const { text } = JSON.parse((await run('show', id, '--json')).out)
  expect(text).toContain('\u009b31m')
  // A file gets the bytes as they came.
  expect((await run('show', id, '--raw')).out).toBe(raw.toString())
  const metrics = await until(async () => {
    const { text } = await bellhop.ask('/metrics')
    return /^bellhop_quarantine_mails\{brand="acme"\} 1$/m.test(text) && text
  })
  expect(metrics).toMatch(/^bellhop_quarantine_oldest_age_seconds\{brand="acme"\} \d/m)
  expect(bellhop.logged()).not.toMatch(/owned|eve@|gnihton/)
  expect((await run('discard', id)).status).toBe(0)
})

test('one of two who release it at once is told so, and nothing is said twice', async () => {
  const id = await lie(anEmail({ text: 'Please say it once.' }))
  const ticket = String((await bellhop.file()).body.ticket_id)
  const ends = await Promise.all([0, 1].map(() => run('release', id, '--ticket', ticket)))
  expect(ends.map(({ status }) => status).sort()).toEqual([0, 1])
  expect(ends.find(({ status }) => status === 1)?.errors).toContain('released or discarded already')
  expect((await run('discard', id)).errors).toContain('released or discarded already')
  const { body } = await bellhop.ask(`/v1/support/tickets/${ticket}`)
  expect((body.messages as { body: string }[]).map(({ body: text }) => text.trim()).slice(1)).toEqual([
    'Please say it once.',
  ])
  expect(await audited(id)).toEqual([`operator ${userInfo().username} inbound.released`])
})

test('what was discarded is released no more', async () => {
  const id = await lie(anEmail({ text: 'Buy this.' }))
  const ticket = String((await bellhop.file()).body.ticket_id)
  expect(await run('discard', id)).toMatchObject({ status: 0, out: `${id} is discarded.\n` })
  expect((await run('release', id, '--ticket', ticket)).errors).toContain('released or discarded already')
  expect((await run('release', id, '--ticket', 'tkt_1')).errors).toContain('--ticket: expected the id')
  expect((await run('show', `inb_${'0'.repeat(32)}`)).errors).toContain('There is no mail with this id.')
  expect(await audited(id)).toEqual([`operator ${userInfo().username} inbound.discarded`])
})

async function audited(id: string): Promise<string[]> {
  const rows = await bellhop.sql<{ line: string }[]>`
    SELECT concat_ws(' ', actor, actor_id, action) AS line FROM audit_entries
    WHERE inbound_mail_id = ${fromId('inb', id)} AND action LIKE 'inbound.%' ORDER BY xid, id`
  return rows.map(({ line }) => line)
}
