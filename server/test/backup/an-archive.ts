import { createHash, hash } from 'node:crypto'
import { createWriteStream } from 'node:fs'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { zstdDecompressSync } from 'node:zlib'
import { expect } from 'vitest'
import { readArchive } from '../../src/backup/archive-reader.ts'
import { writeArchive } from '../../src/backup/archive-writer.ts'
import { readTar } from '../../src/backup/tar.ts'
import { BlobFolder } from '../../src/blobs/blob-folder.ts'
import { OperatorError } from '../../src/errors.ts'
import { createTestDatabase } from '../database/test-database.ts'
import { backUpTo, fillDatabase } from './filled.ts'

export type Entry = { name: string; body: Buffer }

/** An archive with rows in every table, and what is in it. */
export type AnArchive = {
  /** For the files of the test. */
  folder: string
  file: string
  archive: Buffer
  entries: Entry[]
  /** An archive with other entries, sealed as it should be. */
  sealed(changed: Entry[]): Promise<Buffer>
  without(pattern: RegExp): Entry[]
  change(pattern: RegExp, how: (body: Buffer) => Buffer): Entry[]
  stop(): Promise<void>
}

export async function makeAnArchive(): Promise<AnArchive> {
  const source = await createTestDatabase()
  const folder = await mkdtemp(join(tmpdir(), 'bellhop-test-'))
  const file = join(folder, 'bellhop.tar.zst')
  const blobs = new BlobFolder(join(folder, 'blobs'))
  await fillDatabase(source.sql, blobs)
  await backUpTo({ endpoint: source.endpoint, blobs, file })
  await source.stop()
  const archive = await readFile(file)
  const entries: Entry[] = []
  for await (const entry of readTar(Readable.from([zstdDecompressSync(archive)]))) entries.push(entry)
  return {
    folder,
    file,
    archive,
    entries,
    async sealed(changed) {
      const path = join(folder, 'changed.tar.zst')
      const writer = writeArchive(createWriteStream(path), 1, new AbortController().signal)
      for (const { name, body } of changed) await writer.add(name, body)
      await writer.end()
      return readFile(path)
    },
    without: (pattern) => entries.filter(({ name }) => !pattern.test(name)),
    change: (pattern, how) =>
      entries.map(({ name, body }) => ({ name, body: pattern.test(name) ? how(body) : body })),
    stop: () => rm(folder, { recursive: true }),
  }
}

/** @param piece how many bytes of its end come at a time */
export async function verify(bytes: Buffer, piece = 1000): Promise<string> {
  const nothing = { head: async () => {}, part: async () => {}, blob: async () => {} }
  const chunks: Buffer[] = []
  const end = Math.max(0, bytes.length - 200)
  for (let at = 0; at < end; at += 1000) chunks.push(bytes.subarray(at, Math.min(at + 1000, end)))
  for (let at = end; at < bytes.length; at += piece) chunks.push(bytes.subarray(at, at + piece))
  const options = { onBytes: () => {}, signal: new AbortController().signal }
  try {
    await readArchive(Readable.from(chunks), nothing, options)
    return 'whole'
  } catch (error) {
    // Anything else would be shown to the operator as a bug.
    expect(error).toBeInstanceOf(OperatorError)
    return error instanceof Error ? error.message : ''
  }
}

/** With a manifest that agrees, as if the rows had been so when the archive was made. */
export function recounted(changed: Entry[]): Entry[] {
  return changed.map(({ name, body }) => {
    if (name !== 'manifest.json') return { name, body }
    const manifest = JSON.parse(body.toString())
    for (const table of manifest.tables) {
      const parts = changed
        .filter((entry) => entry.name.startsWith(`tables/${table.name}/`))
        .map((entry) => entry.body)
      const whole = Buffer.concat(parts)
      table.rows = whole.toString('latin1').split('\n').length - 1
      table.bytes = whole.length
      table.sha256 = createHash('sha256').update(whole).digest('hex')
      table.parts = parts.map((part) => ({ bytes: part.length, sha256: hash('sha256', part) }))
    }
    return { name, body: Buffer.from(JSON.stringify(manifest)) }
  })
}
