import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { forgetUnreferred, sumBlobs } from '../../src/blobs/blob.store.ts'
import { BlobFolder } from '../../src/blobs/blob-folder.ts'
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
