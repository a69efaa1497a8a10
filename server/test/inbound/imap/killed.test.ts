import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { startHoodiecrow } from './hoodiecrow.ts'
import type { TestImapServer } from './imap-server.ts'
import { digestOf, newMail, PACE, type Reading, startReading } from './reading.ts'
import type { ReadingProcess } from './reading-process.ts'

const refused = new Set<number>()
let server: TestImapServer
let reading: Reading
beforeEach(async () => {
  refused.clear()
  server = await startHoodiecrow(refused)
  reading = await startReading()
})
afterEach(async () => {
  await reading.close()
  await server.close()
})

/** Until it is killed by itself. */
async function readAndDie(moment: ReadingProcess['moment']): Promise<void> {
  const { dataDir, database } = reading
  const asked: ReadingProcess = { endpoint: database.endpoint, settings: server.settings, dataDir, moment }
  const script = join(import.meta.dirname, 'reading-process.ts')
  const child = spawn(process.execPath, [script, JSON.stringify(asked)], { stdio: 'inherit' })
  const [, signal] = await once(child, 'close')
  expect(signal).toBe('SIGKILL')
}

it('loses and doubles nothing when processes are killed between reading a mail and its COMMIT, or after', async () => {
  const mails = Array.from({ length: 5 }, () => newMail())
  for (const mail of mails) await server.append(mail)
  await readAndDie('before_commit')
  expect(await reading.rows()).toEqual([])
  await readAndDie('after_commit')
  await readAndDie('before_commit')
  expect(await reading.rows()).toHaveLength(1)
  await readAndDie('after_commit')
  reading.watch(server.settings, { pace: { ...PACE, lease: 200 } })
  expect(await reading.kept(5)).toEqual(mails.map(digestOf))
})

it('does not let a mail that the server refuses to give keep out those behind it', async () => {
  const mails = [newMail(), newMail(), newMail()]
  for (const mail of mails) await server.append(mail)
  refused.add(2)
  const pace = { ...PACE, pause: 1, longestPause: 1 }
  reading.watch(server.settings, { pace })
  const [first, second, third] = await reading.kept(3)
  expect([first, third]).toEqual([mails[0], mails[2]].map((mail) => digestOf(mail ?? Buffer.alloc(0))))
  // Not even its head was given: what is left is that it was there, and how large it is.
  const [, row] = await reading.rows()
  expect(row).toMatchObject({ headOnly: true, size: mails[1]?.length })
  expect(
    await readFile(join(reading.dataDir, 'blobs', second?.slice(0, 2) ?? '', second ?? '')),
  ).toHaveLength(0)
})
