import { createHash, hash } from 'node:crypto'
import type { Readable } from 'node:stream'
import { type Manifest, PART_BYTES, type TableHead } from './archive.ts'
import type { ArchiveWriter } from './archive-writer.ts'
import { countRows } from './copy-text.ts'

export type TableEntry = Manifest['tables'][number]

/** Adds the rows of one table to the archive, in parts. @returns what the manifest says of it */
export async function copyTable(
  rows: Readable,
  table: TableHead,
  archive: ArchiveWriter,
  onPart: (part: Buffer, rows: number) => void,
): Promise<TableEntry> {
  const whole = createHash('sha256')
  const entry: TableEntry = { ...table, rows: 0, bytes: 0, sha256: '', parts: [] }
  let chunks: Buffer[] = []
  let size = 0
  const flush = async () => {
    const part = Buffer.concat(chunks, size)
    chunks = []
    size = 0
    const count = countRows(part)
    whole.update(part)
    entry.rows += count
    entry.bytes += part.length
    entry.parts.push({ bytes: part.length, sha256: hash('sha256', part) })
    onPart(part, count)
    await archive.add(partName(table.name, entry.parts.length), part)
  }
  // The server sends each row as one chunk.
  for await (const chunk of rows as AsyncIterable<Buffer>) {
    chunks.push(chunk)
    size += chunk.length
    if (size >= PART_BYTES) await flush()
  }
  if (size > 0) await flush()
  entry.sha256 = whole.digest('hex')
  return entry
}

export function partName(table: string, number: number): string {
  return `tables/${table}/${String(number).padStart(6, '0')}.copy`
}
