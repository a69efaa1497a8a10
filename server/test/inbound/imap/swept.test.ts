import { afterAll, beforeAll, expect, it } from 'vitest'
import { newUuid } from '../../../src/ids.ts'
import { sweepRaw } from '../../../src/inbound/quarantine.store.ts'
import { startHoodiecrow } from './hoodiecrow.ts'
import type { TestImapServer } from './imap-server.ts'
import { digestOf, newMail, PACE, type Reading, startReading } from './reading.ts'

let server: TestImapServer
let reading: Reading
beforeAll(async () => {
  server = await startHoodiecrow()
  reading = await startReading()
})
afterAll(async () => {
  await reading.close()
  await server.close()
})

it('a mailbox that is reset doubles no mail whose bytes were swept long ago', async () => {
  for (const mail of [newMail(), newMail()]) await server.append(mail)
  reading.watch(server.settings, { pace: { ...PACE, poll: 20 } })
  await reading.kept(2)
  const { sql } = reading.database
  await sql`UPDATE inbound_mails SET state = 'settled', settled_as = 'quarantined', settled_at = now()`
  expect(await sweepRaw(sql, 0, [newUuid(), newUuid()])).toBe(2)
  expect((await reading.rows()).map(({ sha256 }) => sha256)).toEqual([null, null])
  await server.reset()
  const next = newMail()
  await server.append(next)
  expect(await reading.kept(3)).toEqual([null, null, digestOf(next)])
})
