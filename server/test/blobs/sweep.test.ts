import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { forgetUnreferred, namesBlobs, sumBlobs } from '../../src/blobs/blob.store.ts'
import { BlobFolder } from '../../src/blobs/blob-folder.ts'
import { MailKeeper } from '../../src/inbound/keep-mail.ts'
import { startBellhop, type TestBellhop } from '../bellhop.ts'

const DAY = 24 * 60 * 60 * 1000

let bellhop: TestBellhop
beforeAll(async () => {
  bellhop = await startBellhop()
})
afterAll(() => bellhop.stop())

test('a day later, what a ticket refers to is there, and what none does is gone: file and row', async () => {
  const attach = (text: string) =>
    bellhop.file({ attachment: { filename: 'a', content_base64: Buffer.from(text).toString('base64') } })
  const kept = await attach('kept')
  const dropped = await attach('dropped')
  expect([kept.status, dropped.status]).toEqual([201, 201])
  expect(await sumBlobs(bellhop.sql)).toBe('kept'.length + 'dropped'.length)
  await bellhop.sql`DELETE FROM attachments WHERE sha256 = sha256('dropped'::bytea)`

  const tomorrow = new BlobFolder(join(bellhop.dataDir, 'blobs'), () => Date.now() + 2 * DAY)
  const removed = await tomorrow.sweep((names) => forgetUnreferred(bellhop.sql, names))
  expect(removed).toBe(1)
  expect(await sumBlobs(bellhop.sql)).toBe('kept'.length)
  const files = await readdir(join(bellhop.dataDir, 'blobs'), { recursive: true })
  expect(files.filter((name) => name.length > 64)).toHaveLength(1)

  expect((await attach('dropped')).status).toBe(201)
  expect(await sumBlobs(bellhop.sql)).toBe('kept'.length + 'dropped'.length)
})

test('a mail as it came is not swept, until nothing refers to its bytes any more', async () => {
  const blobs = new BlobFolder(join(bellhop.dataDir, 'blobs'))
  const keeper = new MailKeeper({ database: { run: (_, work) => Promise.resolve(work(bellhop.sql)) }, blobs })
  const raw = Buffer.from('From: ada@example.com\r\n\r\nHello.\r\n')
  // Of a brand that nobody settles mails of.
  await keeper.keep({ brandId: 'nobody', way: 'command', raw, requestDigest: null })
  expect(await namesBlobs(bellhop.sql)).toBe(true)
  const tomorrow = new BlobFolder(join(bellhop.dataDir, 'blobs'), () => Date.now() + 2 * DAY)
  const sweep = () => tomorrow.sweep((names) => forgetUnreferred(bellhop.sql, names))
  expect(await sweep()).toBe(0)
  await bellhop.sql`UPDATE inbound_mails SET sha256 = NULL`
  expect(await sweep()).toBe(1)
})
