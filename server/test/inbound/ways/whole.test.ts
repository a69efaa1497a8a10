import { afterAll, beforeAll, expect, it } from 'vitest'
import { brandOf, startBellhop, type TestBellhop } from '../../bellhop.ts'
import { until } from '../../database/embedded/processes.ts'
import { startHoodiecrow } from '../imap/hoodiecrow.ts'
import type { TestImapServer } from '../imap/imap-server.ts'
import { digestOf, newMail } from '../imap/reading.ts'
import { SECRET } from './signed-request.ts'

let server: TestImapServer
let bellhop: TestBellhop
beforeAll(async () => {
  server = await startHoodiecrow()
  const inbound = { imap: server.settings, secret: SECRET, trustedAuthservIds: [], acceptNew: true }
  bellhop = await startBellhop({
    brands: (issuer) => [brandOf('acme', issuer, { inbound }), brandOf('globex', issuer)],
  })
})
afterAll(async () => {
  await bellhop.stop()
  await server.close()
})

it('reads its brands’ mailboxes while it runs, and says how old the last look is', async () => {
  const mail = newMail()
  await server.append(mail)
  const rows = () => bellhop.sql`SELECT encode(sha256, 'hex') AS sha256, way FROM inbound_mails`
  await until(async () => (await rows()).length > 0)
  expect(await rows()).toEqual([{ sha256: digestOf(mail), way: 'imap' }])
  await until(async () => {
    const { text } = await bellhop.ask('/metrics')
    return /bellhop_imap_look_age_seconds\{brand="acme"\} \d/.test(text)
  })
  const { text } = await bellhop.ask('/metrics')
  expect(text).toContain('bellhop_inbound_mails_total{brand="acme",way="imap"} 1')
  expect(text).not.toContain('bellhop_imap_look_age_seconds{brand="globex"}')
  const [cursor] = await bellhop.sql`SELECT * FROM imap_cursors`
  expect(cursor).toMatchObject({ brand_id: 'acme', last_uid: 1 })
  expect(cursor?.locked_by).not.toBeNull()
  expect(bellhop.logged()).not.toMatch(/Canary|ada@example/)
})
