import { hash } from 'node:crypto'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { zstdCompressSync } from 'node:zlib'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { BlobFolder } from '../../src/blobs/blob-folder.ts'
import { OperatorError } from '../../src/errors.ts'
import { createTestDatabase } from '../database/test-database.ts'
import { type AnArchive, type Entry, makeAnArchive, recounted, verify } from './an-archive.ts'
import { bringBack, tablesOf } from './filled.ts'

let made: AnArchive
beforeAll(async () => {
  made = await makeAnArchive()
})
afterAll(() => made.stop())

test('as it was written it is whole, and so it is when it is put together again', async () => {
  expect(await verify(made.archive)).toBe('whole')
  expect(await verify(await made.sealed(made.entries))).toBe('whole')
})

test('it is whole in whatever pieces its end comes', async () => {
  const again = await made.sealed(made.entries)
  for (let piece = 1; piece <= 64; piece++) {
    expect(await verify(made.archive, piece), `in pieces of ${piece}`).toBe('whole')
    expect(await verify(again, piece), `in pieces of ${piece}`).toBe('whole')
  }
})

test('with a second frame behind its own, it is not whole', async () => {
  const content = Buffer.concat([made.archive.subarray(0, -40), zstdCompressSync(Buffer.alloc(0))])
  const seal = [made.archive.subarray(-40, -32), hash('sha256', content, 'buffer')]
  expect(await verify(Buffer.concat([content, ...seal]), 3)).toMatch('something follows its end')
})

test('cut off anywhere, it is not whole', async () => {
  const lengths = Array.from({ length: 60 }, () => Math.floor(Math.random() * made.archive.length))
  const near = [
    0,
    1,
    3,
    4,
    5,
    39,
    40,
    41,
    44,
    ...Array.from({ length: 50 }, (_, n) => made.archive.length - 1 - n),
  ]
  for (const length of [...near, ...lengths]) {
    expect(await verify(made.archive.subarray(0, length)), `${length} of ${made.archive.length}`).toMatch(
      /^(?:The archive is damaged: it ends too soon|This is not an archive of Bellhop)/,
    )
  }
})

test('with one bit flipped anywhere, it is not whole', { timeout: 60_000 }, async () => {
  const places = [
    ...Array.from({ length: 20 }, (_, n) => n),
    ...Array.from({ length: 45 }, (_, n) => made.archive.length - 1 - n),
    ...Array.from({ length: 150 }, () => Math.floor(Math.random() * made.archive.length)),
  ]
  for (const place of places) {
    const flipped = Buffer.from(made.archive)
    flipped[place] = (flipped[place] ?? 0) ^ (1 << Math.floor(Math.random() * 8))
    expect(await verify(flipped), `byte ${place} of ${made.archive.length}`).not.toBe('whole')
  }
})

test.each([
  ['a byte', Buffer.from('x')],
  ['zeros', Buffer.alloc(10_240)],
  ['a line', Buffer.from('rubbish\n')],
])('with %s behind its end, it is not whole', async (_, rubbish) => {
  expect(await verify(Buffer.concat([made.archive, rubbish]))).toMatch('something was added behind its end')
})

test('two archives in one file are none', async () => {
  expect(await verify(Buffer.concat([made.archive, made.archive]))).not.toBe('whole')
})

test.each([
  ['nothing', Buffer.alloc(0)],
  ['a text', Buffer.from('Dear customer')],
  ['a long text', Buffer.from('Dear customer, '.repeat(1000))],
  ['a gzip', Buffer.concat([Buffer.from([0x1f, 0x8b]), Buffer.alloc(1000)])],
])('%s is not an archive', async (_, bytes) => {
  expect(await verify(bytes)).toBe('This is not an archive of Bellhop')
})

test('a restore of a damaged archive leaves the database and the folder as they were', {
  timeout: 60_000,
}, async () => {
  const target = await createTestDatabase({ migrated: false })
  const changed = join(made.folder, 'damaged.tar.zst')
  try {
    for (let round = 0; round < 12; round++) {
      const place = Math.floor(Math.random() * made.archive.length)
      const flipped = Buffer.from(made.archive)
      flipped[place] = (flipped[place] ?? 0) ^ 1
      // The last one breaks only at its manifest, when every row and every attachment is in its place.
      const last = round === 11 && (await made.sealed(made.change(/^manifest/, () => Buffer.from('{}'))))
      await writeFile(changed, last || flipped)
      const blobs = new BlobFolder(join(made.folder, 'restored'))
      await expect(bringBack({ endpoint: target.endpoint, blobs, file: changed })).rejects.toThrow(
        OperatorError,
      )
      expect(await tablesOf(target.sql)).toEqual([])
      expect(await blobs.owner()).toBeNull()
      const names = made.entries
        .filter(({ name }) => name.startsWith('blobs/'))
        .map(({ name }) => name.slice(6))
      for (const name of names) await expect(blobs.read(name)).rejects.toThrow('ENOENT')
    }
  } finally {
    await target.stop()
  }
})

test('rows that the tables do not take are refused with the table’s name', async () => {
  const target = await createTestDatabase({ migrated: false })
  const blobs = new BlobFolder(join(made.folder, 'refused'))
  const bring = async (changed: Entry[]) => {
    await writeFile(made.file, await made.sealed(recounted(changed)))
    await bringBack({ endpoint: target.endpoint, blobs, file: made.file })
  }
  try {
    // In the middle of its COPY, and at its end, where the driver tells of success.
    const badStatus = made.change(/^tables\/tickets/, (body) =>
      Buffer.from(body.toString().replaceAll('\topen\t', '\tlost\t')),
    )
    await expect(bring(badStatus)).rejects.toThrow('does not take the rows of tickets')
    const noTickets = made.change(/^tables\/tickets/, (body) => body.subarray(body.indexOf(0x0a) + 1))
    await expect(bring(noTickets)).rejects.toThrow('does not take the rows of messages')
    expect(await tablesOf(target.sql)).toEqual([])
    await bring(made.entries)
    expect(await tablesOf(target.sql)).not.toEqual([])
  } finally {
    await target.stop()
    await writeFile(made.file, made.archive)
  }
})
