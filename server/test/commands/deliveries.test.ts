import { userInfo } from 'node:os'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { findEmbedded } from '../../src/database/embedded/embedded.ts'
import { openDatabase } from '../../src/database/pool.ts'
import { until } from '../database/embedded/processes.ts'
import { CANARY, type MailDesk, startMailDesk } from '../deliveries/mail-desk.ts'
import { startTestIssuer, type TestIssuer } from '../http/tokens/test-issuer.ts'
import { fileTicket, mailBrandsFile, openShell, type Running, type Shell } from './command-line.ts'

const SUBJECT = 'canary-of-the-subject'

let shell: Shell
let desk: MailDesk
let issuer: TestIssuer
let server: Running
let brands: string
beforeEach(async () => {
  shell = await openShell({ used: true })
  desk = await startMailDesk()
  issuer = await startTestIssuer()
  brands = await shell.writeBrands(mailBrandsFile(issuer, desk, '10s'))
  server = shell.start(['start'], { BRANDS_FILE: brands })
  await server.url()
})
afterEach(async () => {
  await shell.stop()
  await desk.close()
  await issuer.close()
})

/** Runs `bellhop deliveries …` and gives what it wrote; it must have gone well. */
const deliveries = async (...args: string[]): Promise<string> => {
  const { status, out, errors } = await shell.run(['deliveries', ...args])
  expect([status, errors]).toEqual([0, ''])
  return out
}
type Line = { delivery_id: string; state: string; attempts: number }
const list = async (...args: string[]): Promise<Line[]> => JSON.parse(await deliveries('--json', ...args))
const file = async () => fileTicket(await server.url(), await issuer.token(), SUBJECT)
const metrics = async () => (await fetch(`${await server.url()}/metrics`)).text()

describe('a ticket that the desk refused', () => {
  test('is seen by the operator, who has it tried again, and that is on record', async () => {
    expect(await deliveries()).toBe('No such delivery.\n')
    desk.refuseRecipients.push(550)
    expect((await file()).status).toBe(400)

    const table = await deliveries()
    expect(table).toMatch(/^DELIVERY +STATE +BRAND +TO +KIND +BY +ATTEMPTS +LAST +CREATED +NEXT +TICKET\n/)
    expect(table).toMatch(
      /^dlv_[0-9a-f]{32} +rejected +acme +desk +message +smtp +1 +smtp_550 +\d{4}-.* +- +tkt_[0-9a-f]{32}\n$/m,
    )
    const [line] = await list('--state', 'rejected', '--brand', 'acme')
    if (line === undefined) throw new Error('it is not listed')
    expect(line).toMatchObject({
      state: 'rejected',
      attempts: 1,
      last_outcome: 'permanent',
      last_code: 'smtp_550',
    })
    expect(await list('--state', 'dead')).toEqual([])
    expect(await list('--brand', 'globex')).toEqual([])
    expect(await list('--older-than', '1h')).toEqual([])
    expect(await metrics()).toContain('bellhop_deliveries{brand="acme",side="desk",state="rejected"} 1')

    const shown = await deliveries('show', line.delivery_id)
    expect(shown).toMatch(/^state +rejected$/m)
    expect(shown).toMatch(new RegExp(`^1 +permanent +smtp_550 +\\d+ ms +\\S+ \\S+ +.*${CANARY}`, 'm'))
    const json = JSON.parse(await deliveries('show', line.delivery_id, '--json'))
    expect(json.attempts_made).toEqual([
      expect.objectContaining({ number: 1, answer: expect.stringContaining(CANARY) }),
    ])

    expect(await deliveries('retry', line.delivery_id)).toBe(`${line.delivery_id}\n1 will be tried again.\n`)
    await until(() => desk.mails.length === 1)
    await until(async () => (await list()).length === 0)
    expect(await list('--state', 'delivered')).toEqual([expect.objectContaining({ attempts: 2 })])
    expect(await metrics()).not.toContain('bellhop_deliveries{brand="acme",side="desk",state="rejected"}')

    const endpoint = await findEmbedded(shell.dataDir)
    if (endpoint === null) throw new Error('no database')
    const database = openDatabase(endpoint, { max: 1, applicationName: 'vitest' })
    const audit = await database.sql`
      SELECT actor, actor_id, action FROM audit_entries WHERE actor <> 'person' ORDER BY at`
    await database.close()
    expect([...audit]).toEqual([
      { actor: 'system', actor_id: null, action: 'delivery.rejected' },
      { actor: 'operator', actor_id: userInfo().username, action: 'delivery.retried' },
      { actor: 'system', actor_id: null, action: 'delivery.delivered' },
    ])
    for (const said of [CANARY, SUBJECT, 'ada@example.com', 'helpdesk@'])
      expect(server.out()).not.toContain(said)
    expect(server.out()).toContain('"code":"smtp_550"')
  })

  test('is tried again with all of its state, and only what failed is', async () => {
    desk.refuseRecipients.push(550, 551)
    await file()
    await file()
    const [first] = await list('--state', 'rejected')
    expect(JSON.parse(await deliveries('retry', '--state', 'rejected', '--json')).retried).toHaveLength(2)
    await until(() => desk.mails.length === 2)
    await until(async () => (await list()).length === 0)
    const again = await shell.run(['deliveries', 'retry', first?.delivery_id ?? ''])
    expect([again.status, again.errors]).toEqual([
      1,
      expect.stringMatching(/^bellhop: 1 of the deliveries named/),
    ])
    for (const args of [
      [],
      ['--state', 'delivered'],
      ['dlv_1'],
      [first?.delivery_id ?? '', '--state', 'dead'],
    ]) {
      const ended = await shell.run(['deliveries', 'retry', ...args])
      expect([args, ended.status]).toEqual([args, 1])
      expect(ended.errors).toMatch(/^bellhop: /)
    }
    expect(desk.mails).toHaveLength(2)
  })
})

test('what waits is counted with its age, and the commands work also where no server runs', async () => {
  desk.refuseRecipients.push(...Array<number>(50).fill(450))
  expect((await file()).body.status).toBe('requested')
  expect(await metrics()).toMatch(
    /^bellhop_oldest_undelivered_age_seconds\{brand="acme",side="desk"\} [\d.]+(e-\d+)?$/m,
  )
  expect(await metrics()).toMatch(
    /^bellhop_deliveries\{brand="acme",side="desk",state="(pending|leased)"\} 1$/m,
  )
  server.child.kill('SIGTERM')
  expect((await server.ended).status).toBe(0)

  const [line] = await list('--state', 'pending')
  expect(line).toMatchObject({ state: 'pending', last_code: 'smtp_450' })
  expect(await deliveries('show', line?.delivery_id ?? '')).toMatch(/^1 +retry +smtp_450/m)
  const migrated = await shell.run(['migrate'])
  expect(migrated).toMatchObject({ status: 0, errors: '', out: expect.stringMatching(/at version \d+\.\n$/) })
  expect(await shell.databasePid()).toBeNull()
})

test('doctor says of each thing whether it is well, with and without a server', async () => {
  const what = (out: string) =>
    out
      .trimEnd()
      .split('\n')
      .map((line) => line.replace(/^(\w+ +[^:]+(:\/\/[^:]+:\d+)?).*$/, '$1'))
  const expected = [
    'ok    configuration',
    'ok    database (embedded)',
    'ok    attachments',
    `ok    issuer ${issuer.url}`,
    'ok    desk of acme (smtp)',
    'ok    mail of acme',
  ]
  await issuer.newKey()
  const running = await shell.run(['doctor'], { BRANDS_FILE: brands })
  expect([running.status, running.errors, what(running.out)]).toEqual([0, '', expected])
  server.child.kill('SIGTERM')
  await server.ended
  await desk.close()
  const alone = await shell.run(['doctor'], { BRANDS_FILE: brands })
  expect([alone.status, what(alone.out)]).toEqual([1, expected.with(-2, 'FAIL  desk of acme (smtp)')])
  expect(alone.out).toMatch(/connection_refused: nothing listens there; check host and port in desk\.url/)
  expect(await shell.databasePid()).toBeNull()
})

test('deliveries are put on hold and released, and whoever looks is told', async () => {
  expect(await deliveries('release')).toBe('Delivery is not on hold.\n')
  expect(await deliveries('hold')).toMatch(
    /^Delivery is on hold\..*\nTo carry them: bellhop deliveries release\n$/,
  )
  expect(await deliveries('hold')).toMatch(/^Delivery is on hold already, since \d{4}-.* UTC\.\n$/)
  expect((await file()).body.status).toBe('requested')
  expect(await deliveries()).toMatch(
    /^Note: delivery is on hold since \d{4}-\S+ \S+ UTC: bellhop deliveries release\nDELIVERY .*\ndlv_.* pending /,
  )
  expect(await list()).toEqual([expect.objectContaining({ state: 'pending', attempts: 0 })])
  expect(await metrics()).toContain('bellhop_deliveries_held 1')
  const { out } = await shell.run(['doctor'], { BRANDS_FILE: brands })
  expect(out).toMatch(/^ok {4}database.*; delivery is on hold since .* UTC: bellhop deliveries release$/m)
  expect(desk.mails).toEqual([])

  expect(await deliveries('release')).toMatch(/^Delivery goes on; it was on hold since \d{4}-.* UTC\.\n$/)
  await until(() => desk.mails.length === 1)
  await until(async () => (await metrics()).includes('bellhop_deliveries_held 0'))
})
