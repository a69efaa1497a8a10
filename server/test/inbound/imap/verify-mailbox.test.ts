import { once } from 'node:events'
import { type AddressInfo, createServer } from 'node:net'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { verifyMailbox } from '../../../src/inbound/imap/verify-mailbox.ts'
import type { TestImapServer } from './imap-server.ts'
import { SERVERS } from './imap-servers.ts'

const soon = () => AbortSignal.timeout(5000)

const servers: TestImapServer[] = []
beforeAll(async () => {
  for (const { start } of SERVERS) servers.push(await start())
})
afterAll(() => Promise.all(servers.map((server) => server.close())))

test.each(SERVERS.map(({ name }, index) => [name, index] as const))(
  'doctor tells what is wrong with a mailbox on %s',
  async (_, index) => {
    const settings = servers[index]?.settings
    if (settings === undefined) throw new Error('no server')
    expect(await verifyMailbox(settings, soon())).toMatchObject({ ok: true })
    expect(await verifyMailbox({ ...settings, mailbox: 'Nowhere' }, soon())).toMatchObject({
      ok: false,
      detail: expect.stringMatching(/^(?:NO_MAILBOX|REFUSED): /),
    })
    expect(await verifyMailbox({ ...settings, pass: 'canary' }, soon())).toMatchObject({
      ok: false,
      detail: expect.stringMatching(/^LOGIN_REFUSED: /),
    })
    expect(await verifyMailbox({ ...settings, port: 1 }, soon())).toMatchObject({
      ok: false,
      detail: expect.stringMatching(/^ECONNREFUSED: /),
    })
    // The password does not leave in the clear where it must not.
    const encrypted = await verifyMailbox({ ...settings, requireTls: true }, soon())
    expect(encrypted.ok).toBe(false)
  },
)

test('a server that says nothing is left after the time that there is', async () => {
  const silent = createServer().listen(0, '127.0.0.1')
  await once(silent, 'listening')
  const { port } = silent.address() as AddressInfo
  const settings = { ...servers[0]?.settings, port } as TestImapServer['settings']
  expect(await verifyMailbox(settings, AbortSignal.timeout(200))).toMatchObject({ ok: false })
  silent.close()
})
