import { hash } from 'node:crypto'
import { mkdtemp, readdir, rename, rm, stat, utimes, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { BlobFolder } from '../../src/blobs/blob-folder.ts'

const HOUR = 60 * 60 * 1000

let root: string
let blobs: BlobFolder
beforeEach(async () => {
  root = join(await mkdtemp(join(tmpdir(), 'bellhop-test-')), 'blobs')
  blobs = new BlobFolder(root)
})
afterEach(() => rm(join(root, '..'), { recursive: true, force: true }))

const nothing = async () => new Set<string>()
const everything = async (names: string[]) => new Set(names)
const put = async (text: string) => {
  const bytes = Buffer.from(text)
  const sha256 = hash('sha256', bytes)
  await blobs.put(sha256, bytes)
  return sha256
}
const pathOf = (sha256: string) => join(root, sha256.slice(0, 2), sha256)
/** Makes everything that is there look so many hours older. */
const age = async (hours: number) => {
  for (const entry of await readdir(root, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile()) continue
    const path = join(entry.parentPath, entry.name)
    const then = new Date((await stat(path)).mtimeMs - hours * HOUR)
    await utimes(path, then, then)
  }
}
const isThere = async (sha256: string) => (await blobs.read(sha256).catch(() => null)) !== null
const temporaryFiles = async () => (await readdir(root)).filter((name) => name.length > 2)

describe('bytes that are kept', () => {
  test('are read back, and were never in a file of another name for long', async () => {
    const sha256 = await put('a photo')
    expect((await blobs.read(sha256)).toString()).toBe('a photo')
    expect(await temporaryFiles()).toEqual([])
  })

  test('are written once, and half of them are written anew', async () => {
    const sha256 = await put('a photo')
    const { ino } = await stat(pathOf(sha256))
    await put('a photo')
    expect((await stat(pathOf(sha256))).ino).toBe(ino)
    await writeFile(pathOf(sha256), 'a ph')
    await put('a photo')
    expect(await isThere(sha256)).toBe(true)
  })

  test('by many at once are whole', async () => {
    const [sha256 = ''] = await Promise.all(Array.from({ length: 20 }, () => put('the same photo')))
    expect(await isThere(sha256)).toBe(true)
    expect(await temporaryFiles()).toEqual([])
  })

  test('and that changed on the disk are not given out as what they were', async () => {
    const sha256 = await put('a photo')
    await writeFile(pathOf(sha256), 'a ghost')
    await expect(blobs.read(sha256)).rejects.toThrow('bytes of its name')
  })

  test('are read while a sweep has them aside', async () => {
    const sha256 = await put('a photo')
    await rename(pathOf(sha256), join(root, `old-${sha256}`))
    expect(await blobs.read(sha256)).toEqual(Buffer.from('a photo'))
  })

  test.each(['../../etc/passwd', 'A'.repeat(64), '', `${'a'.repeat(64)}\0`])(
    'have no name like %j',
    async (name) => {
      await expect(blobs.put(name, Buffer.from('x'))).rejects.toThrow('SHA-256')
      await expect(blobs.read(name)).rejects.toThrow('SHA-256')
    },
  )
})

describe('the sweep', () => {
  test('takes what nothing refers to, once it is a day old', async () => {
    const sha256 = await put('forgotten')
    await age(23)
    expect(await blobs.sweep(nothing)).toBe(0)
    await age(2)
    expect(await blobs.sweep(nothing)).toBe(1)
    expect(await isThere(sha256)).toBe(false)
    expect(await temporaryFiles()).toEqual([])
  })

  test('leaves what something refers to, whatever its age', async () => {
    const sha256 = await put('wanted')
    await age(1000)
    expect(await blobs.sweep(everything)).toBe(0)
    expect(await isThere(sha256)).toBe(true)
  })

  test('asks only of what is old, so that a ticket on its way keeps its file', async () => {
    const old = await put('old')
    await age(25)
    const young = await put('young')
    const asked: string[] = []
    await blobs.sweep(async (names) => {
      asked.push(...names)
      return new Set()
    })
    expect(asked).toEqual([old])
    expect(await isThere(young)).toBe(true)
  })

  test('spares a file that was put again before the question was asked', async () => {
    const sha256 = await put('again')
    await age(25)
    await put('again')
    expect(await blobs.sweep(nothing)).toBe(0)
    expect(await isThere(sha256)).toBe(true)
  })

  test('spares a file that is put again between the question and the answer', async () => {
    const sha256 = await put('again')
    await age(25)
    const removed = await blobs.sweep(async () => {
      await put('again')
      return new Set()
    })
    expect(removed).toBe(0)
    expect(await isThere(sha256)).toBe(true)
    expect(await temporaryFiles()).toEqual([])
  })

  test('never takes a file from under those who put it, however the two meet', async () => {
    for (let round = 0; round < 40; round++) {
      const sha256 = await put(`round ${round}`)
      await age(25)
      await Promise.all([blobs.sweep(nothing), put(`round ${round}`), put(`round ${round}`)])
      expect(await isThere(sha256)).toBe(true)
    }
  })

  test('is the same by two workers at once', async () => {
    const texts = Array.from({ length: 20 }, (_, index) => `text ${index}`)
    await Promise.all(texts.map(put))
    await age(25)
    const removed = await Promise.all([blobs.sweep(nothing), blobs.sweep(nothing), blobs.sweep(nothing)])
    expect(removed.reduce((sum, count) => sum + count)).toBeGreaterThanOrEqual(texts.length)
    for (const text of texts) expect(await isThere(hash('sha256', text))).toBe(false)
    expect(await temporaryFiles()).toEqual([])
  })

  test('takes the half-written files of a killed process, but not those of one at work', async () => {
    await put('anything')
    await writeFile(join(root, 'new-killed'), 'half')
    expect(await blobs.sweep(everything)).toBe(0)
    expect(await temporaryFiles()).toEqual(['new-killed'])
    await age(25)
    await blobs.sweep(everything)
    expect(await temporaryFiles()).toEqual([])
  })

  test.each([
    ['that a ticket refers to', 25, everything, true],
    ['that was put again in time', 1, nothing, true],
    ['that nobody wants', 25, nothing, false],
  ])('killed in its middle, the next one decides on a file %s', async (_what, hours, referred, stays) => {
    const sha256 = await put('moved aside')
    await rename(pathOf(sha256), join(root, `old-${sha256}`))
    await age(hours)
    await blobs.sweep(referred)
    expect(await isThere(sha256)).toBe(stays)
    expect(await temporaryFiles()).toEqual([])
  })

  test('of a folder that is not there yet, or holds things of others, does nothing', async () => {
    expect(await blobs.sweep(nothing)).toBe(0)
    await put('anything')
    await writeFile(join(root, 'README'), 'not ours')
    await writeFile(join(root, 'ab'), 'not ours')
    await age(100)
    expect(await blobs.sweep(everything)).toBe(0)
    expect(await readdir(root)).toEqual(expect.arrayContaining(['README', 'ab']))
  })
})

test('a probe says whether bytes can be kept, and leaves nothing', async () => {
  await blobs.probe()
  expect(await readdir(root)).toEqual([])
  await rm(root, { recursive: true })
  await writeFile(root, '')
  await expect(blobs.probe()).rejects.toThrow()
})
