import { execFileSync } from 'node:child_process'
import { hash } from 'node:crypto'
import { mkdir, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { decodeBase64 } from '../../src/tickets/attachment.ts'
import { type Answer, startBellhop, type TestBellhop } from '../bellhop.ts'

let bellhop: TestBellhop
beforeAll(async () => {
  bellhop = await startBellhop()
})
afterAll(() => bellhop.stop())

type Kept = { attachment_id: string; filename: string; content_type: string; size: number; sha256: string }

const attach = (content: string | Buffer, more: Record<string, unknown> = {}, of = bellhop) => {
  const content_base64 = typeof content === 'string' ? content : content.toString('base64')
  return of.file({ attachment: { filename: 'a.bin', content_base64, ...more } })
}
const keptOf = async (filed: Answer): Promise<Kept | undefined> => {
  expect(filed.status).toBe(201)
  const read = await bellhop.ask(`/v1/support/tickets/${filed.body.ticket_id}`)
  return (read.body.messages as { attachments: Kept[] }[])[0]?.attachments[0]
}
const blobPath = (sha256: string) => join(bellhop.dataDir, 'blobs', sha256.slice(0, 2), sha256)
/** All files but the one that says whose the folder is. */
const filesIn = async (folder: string) =>
  (await readdir(folder, { recursive: true, withFileTypes: true }))
    .filter((entry) => entry.isFile() && entry.name !== 'installation')
    .map((entry) => entry.name)

describe('base64 is strict', () => {
  test.each([
    ['one byte', 'YQ==', 'a'],
    ['two bytes', 'YWI=', 'ab'],
    ['three bytes', 'YWJj', 'abc'],
    ["every character of the alphabet's end", '+/+/', '\xfb\xff\xbf'],
  ])('%s', async (_what, text, bytes) => {
    const kept = await keptOf(await attach(text))
    expect(kept).toMatchObject({ size: bytes.length, sha256: hash('sha256', Buffer.from(bytes, 'latin1')) })
  })

  test.each([
    ['the alphabet of URLs', '-_-_'],
    ['half of that alphabet', '+_+/'],
    ['a space', 'YWJj YWJj'],
    ['a space in a group of four', 'YW J'],
    ['a line break', 'YWJj\nYWJj'],
    ['a line break at the end', 'YWJj\r\n'],
    ['no padding', 'YQ'],
    ['too little padding', 'YQ='],
    ['too much padding', 'YWI=='],
    ['padding where none belongs', 'YWJj===='],
    ['padding alone', '===='],
    ['a lone sign of it', '='],
    ['padding in the middle', 'YQ==YWJj'],
    ['text after padding', 'YQ=a'],
    ['unused bits after one byte', 'YR=='],
    ['unused bits after two bytes', 'YWJ='],
    ['one character of four', 'Y'],
    ['five characters', 'YWJjY'],
    ['a character outside the alphabet', 'YW.j'],
    ['a letter of another script', 'YWäj'],
    ['half a surrogate pair', 'YW\ud800j'],
    ['a data URL', 'data:text/plain;base64,YWJj'],
    ['escapes of URLs', 'YQ%3D%3D'],
  ])('%s is invalid_attachment', async (_what, text) => {
    const answer = await attach(text)
    expect([answer.status, answer.body]).toEqual([
      400,
      { error: 'invalid_attachment', message: expect.stringContaining('content_base64') },
    ])
  })

  test('nothing at all is a validation_error, as the schema says', async () => {
    expect((await attach('')).body.error).toBe('validation_error')
  })

  const large = Buffer.alloc(3 * 1024 * 1024, 'large ').toString('base64')
  const slice = 1024 * 1024
  test('a large one is read whole, over all its slices', async () => {
    for (const cut of [0, 1, 2]) {
      const bytes = Buffer.alloc(3 * 1024 * 1024 - cut, 'large ')
      const kept = await keptOf(await attach(bytes))
      expect(kept).toMatchObject({ size: bytes.length, sha256: hash('sha256', bytes) })
    }
  })

  test.each([
    ['a wrong character in its last slice', `${large.slice(0, -4)}a*aa`],
    ['unused bits at its end', `${large.slice(0, -4)}YR==`],
    ['a line break in its middle', `${large.slice(0, slice + 4)}\nabc${large.slice(slice + 8)}`],
    ['padding at the end of its first slice', `${large.slice(0, slice - 4)}YQ==${large.slice(slice)}`],
    ['padding at the end of a middle slice', `${large.slice(0, 2 * slice - 4)}YWI=${large.slice(2 * slice)}`],
    ['padding at the start of its second slice', `${large.slice(0, slice)}YQ==${large.slice(slice + 4)}`],
    ['a length that is no multiple of four', `${large}aa`],
  ])('a large one with %s is refused', async (_what, text) => {
    expect(await decodeBase64(text)).toBeNull()
    expect((await attach(text)).body.error).toBe('invalid_attachment')
  })

  test('while a large one is read, others have their turn', async () => {
    let turns = 0
    const timer = setInterval(() => turns++)
    await decodeBase64(large + large + large)
    clearInterval(timer)
    expect(turns).toBeGreaterThan(2)
  })
})

describe('the name is kept for display and makes no path', () => {
  test.each([
    '../../../../etc/passwd',
    '/etc/passwd',
    '..',
    '.',
    'C:\\Windows\\system32\\a.exe',
    'a/b\\c:d*e?f"g<h>i|j',
    'line\r\nbreak.txt',
    '  outer white space  ',
    'Ünïcødé – 請求書.pdf',
    '\u202egnp.exe',
    'x'.repeat(5000),
    '%2e%2e%2f',
    'new-1',
  ])('%j', async (filename) => {
    const bytes = Buffer.from(filename)
    const before = await filesIn(bellhop.dataDir)
    const kept = await keptOf(await attach(bytes, { filename }))
    expect(kept?.filename).toBe(filename)
    const sha256 = hash('sha256', bytes)
    const made = (await filesIn(bellhop.dataDir)).filter((name) => !before.includes(name))
    expect(made).toEqual([sha256])
    expect(await readFile(blobPath(sha256))).toEqual(bytes)
  })
})

describe('its type', () => {
  const png = Buffer.from(
    'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==',
    'base64',
  )
  test.each<[string, Buffer, string | undefined, string]>([
    ['is the declared one', png, 'application/x-mine; a=b', 'application/x-mine; a=b'],
    ['is the declared one, also where it is no type', png, 'not a type', 'not a type'],
    ['is the detected one where none was declared', png, undefined, 'image/png'],
    ['is bytes where none is known', Buffer.from('?'), undefined, 'application/octet-stream'],
    ['is an archive where only its head is there', Buffer.from('PK\x03\x04'), undefined, 'application/zip'],
  ])('%s', async (_what, bytes, declared, type) => {
    const kept = await keptOf(await attach(bytes, declared === undefined ? {} : { content_type: declared }))
    expect(kept?.content_type).toBe(type)
  })

  test('that was declared is kept beside the detected one', async () => {
    const kept = await keptOf(await attach(png, { content_type: 'text/html', filename: 'both.html' }))
    const rows =
      await bellhop.sql`SELECT declared_type, detected_type FROM attachments WHERE filename = 'both.html'`
    expect(rows).toEqual([{ declared_type: 'text/html', detected_type: 'image/png' }])
    expect(kept?.sha256).toBe(hash('sha256', png))
  })
})

test('the same bytes twice are one file and one row, and two attachments', async () => {
  const bytes = Buffer.from('sent twice')
  const [first, second] = await Promise.all([
    attach(bytes, { filename: 'one' }).then(keptOf),
    bellhop
      .file({ brand_id: 'globex', attachment: { filename: 'two', content_base64: bytes.toString('base64') } })
      .then(keptOf),
  ])
  expect(first?.sha256).toBe(second?.sha256)
  expect(first?.attachment_id).not.toBe(second?.attachment_id)
  expect(first?.attachment_id).toMatch(/^att_[0-9a-f]{32}$/)
  const sha256 = hash('sha256', bytes)
  expect((await filesIn(bellhop.dataDir)).filter((name) => name === sha256)).toHaveLength(1)
  expect(await bellhop.sql`SELECT FROM blobs WHERE sha256 = decode(${sha256}, 'hex')`).toHaveLength(1)
})

test('a file is for nobody else on the machine to read', async () => {
  const kept = await keptOf(await attach(Buffer.from('private')))
  const path = blobPath(kept?.sha256 ?? '')
  const modes = await Promise.all([path, join(path, '..'), join(path, '../..')].map((each) => stat(each)))
  expect(modes.map(({ mode }) => (mode & 0o777).toString(8))).toEqual(['600', '700', '700'])
})

test('the bytes are on disk before the row that refers to them', async () => {
  let onDisk: string[] | null = null
  const watched = await startBellhop({
    beside: bellhop,
    pass: (point) => {
      if (point === 'before_commit')
        onDisk = execFileSync('find', [bellhop.dataDir, '-type', 'f', '-printf', '%f\n'])
          .toString()
          .split('\n')
    },
  })
  const bytes = Buffer.from('first on disk')
  const filed = await attach(bytes, {}, watched)
  await watched.stop()
  expect(filed.status).toBe(201)
  expect(onDisk).toContain(hash('sha256', bytes))
})

test('the bytes of a refused ticket are not kept', async () => {
  const answer = await bellhop.file({
    attachment: { filename: 'a', content_base64: 'cmVmdXNlZA==' },
    subject: '',
  })
  expect(answer.body.error).toBe('validation_error')
  expect(await filesIn(bellhop.dataDir)).not.toContain(hash('sha256', 'refused'))
})

describe('a disk that is full', () => {
  test('is 503 for a file and not for a ticket without one, and is over when there is room again', async (context) => {
    const small = await startBellhop()
    const folder = join(small.dataDir, 'blobs')
    await mkdir(folder, { recursive: true })
    try {
      execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=256k', 'tmpfs', folder], { stdio: 'ignore' })
    } catch {
      await small.stop()
      context.skip('needs the right to mount a small file system')
      return
    }
    try {
      const large = Buffer.alloc(400_000, 'x')
      const refused = await attach(large, {}, small)
      expect([refused.status, refused.body.error]).toEqual([503, 'unavailable'])
      expect(Number(refused.headers.get('retry-after'))).toBeGreaterThan(0)
      // The worker says whose the folder is, and a probe looks into it, at moments of their own.
      await expect.poll(() => filesIn(folder), { timeout: 10_000 }).toEqual([])
      await expect.poll(async () => (await small.ask('/readyz')).status, { timeout: 10_000 }).toBe(503)
      expect((await small.file()).status).toBe(201)
      execFileSync('mount', ['-o', 'remount,size=2m', folder])
      expect((await attach(large, {}, small)).status).toBe(201)
    } finally {
      execFileSync('umount', ['-l', folder])
      await small.stop()
    }
  })

  test('a folder that is not one is 503, and is over when it is', async () => {
    const small = await startBellhop()
    const folder = join(small.dataDir, 'blobs')
    await rm(folder, { recursive: true, force: true })
    await writeFile(folder, '')
    const refused = await attach('YQ==', {}, small)
    expect([refused.status, refused.body.error]).toEqual([503, 'unavailable'])
    expect(await small.sql`SELECT FROM tickets`).toHaveLength(0)
    await rm(folder)
    expect((await attach('YQ==', {}, small)).status).toBe(201)
    await small.stop()
  })
})
