import { createHash, hash } from 'node:crypto'
import type { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { createZstdDecompress } from 'node:zlib'
import {
  damaged,
  HEAD,
  type Head,
  MANIFEST,
  type Manifest,
  parseHead,
  parseManifest,
  type TableHead,
} from './archive.ts'
import { BlobNames } from './blob-names.ts'
import { countRows, fieldsIn, hashesIn } from './copy-text.ts'
import { checkChunk } from './entry-limits.ts'
import { breakSeal } from './seal.ts'
import { readTar, type TarEntry } from './tar.ts'

/** Who makes something of what is read; everything was checked as far as it can be by then. */
export type ArchiveVisitor = {
  head(head: Head): Promise<void>
  part(table: TableHead, body: Buffer): Promise<void>
  blob(sha256: string, bytes: Buffer): Promise<void>
}

/**
 * Reads an archive from its first byte to its last and checks everything in it: the seal, each part's and each
 * blob's hash, the counts, and that each blob that a row names is there.
 * @param onBytes is told how much of the archive has been read
 * @throws OperatorError that says what is wrong
 */
export async function readArchive(
  source: Readable,
  visitor: ArchiveVisitor,
  options: { onBytes: (bytes: number) => void; signal: AbortSignal },
): Promise<Manifest> {
  const decompress = createZstdDecompress()
  // It may fail once more after the pipe has let go of it.
  decompress.on('error', () => {})
  let manifest: Manifest | null = null
  try {
    await pipeline(
      source,
      breakSeal(options.onBytes),
      decompress,
      async (bytes: AsyncIterable<Buffer>) => {
        manifest = await readEntries(readTar(bytes, checkChunk), visitor)
      },
      { signal: options.signal },
    )
  } catch (error) {
    if (isCompressionFault(error)) throw damaged('its compression does not hold')
    // The decoder ends with its first frame, and has no word for what stands behind it.
    if (decompress.readableEnded && isPrematureClose(error)) throw damaged('something follows its end')
    throw error
  }
  if (manifest === null) throw new Error('the archive was not read')
  return manifest
}

/** As Node's zlib names what the decoder met. */
function isCompressionFault(error: unknown): boolean {
  return error instanceof Error && 'code' in error && /^(?:ZSTD_error_|Z_)/.test(String(error.code))
}

function isPrematureClose(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'ERR_STREAM_PREMATURE_CLOSE'
}

async function readEntries(entries: AsyncGenerator<TarEntry>, visitor: ArchiveVisitor): Promise<Manifest> {
  const first = await entries.next()
  if (first.done === true || first.value.name !== HEAD) throw damaged('it does not begin with its head')
  const head = parseHead(first.value.body)
  await visitor.head(head)
  const seen = new Seen(head)
  let manifest: Manifest | null = null
  for await (const { name, body } of entries) {
    if (manifest !== null) throw damaged('something follows its manifest')
    if (name === MANIFEST) {
      manifest = parseManifest(body)
      seen.compare(manifest)
    } else if (name.startsWith('blobs/')) {
      const sha256 = seen.blob(name, body)
      await visitor.blob(sha256, body)
    } else {
      const table = seen.part(name, body)
      await visitor.part(table, body)
    }
  }
  if (manifest === null) throw damaged('it is incomplete: it has no manifest')
  return manifest
}

type Counted = { rows: number; bytes: number; parts: { bytes: number; sha256: string }[] }

/** What has come by so far, to be held against the manifest. */
class Seen {
  readonly #head: Head
  readonly #tables: { table: TableHead; counted: Counted; hash: ReturnType<typeof createHash> }[]
  /** The ids in the rows of `installation`: there is one. */
  readonly #installations: string[] = []
  /** Of the rows in `blobs`. */
  readonly #named = new BlobNames()
  readonly #blobs = new BlobNames()
  #blobBytes = 0
  #at = 0

  constructor(head: Head) {
    this.#head = head
    this.#tables = head.tables.map((table) => ({
      table,
      counted: { rows: 0, bytes: 0, parts: [] },
      hash: createHash('sha256'),
    }))
  }

  part(name: string, body: Buffer): TableHead {
    const [folder, tableName, file] = name.split('/')
    while (this.#at < this.#tables.length && this.#tables[this.#at]?.table.name !== tableName) this.#at++
    const current = this.#tables[this.#at]
    const number = String((current?.counted.parts.length ?? 0) + 1).padStart(6, '0')
    if (folder !== 'tables' || current === undefined || file !== `${number}.copy` || this.#blobs.count > 0) {
      throw damaged('its parts are not in their order')
    }
    const { table, counted } = current
    if (body.at(-1) !== 0x0a) throw damaged('a part ends in the middle of a row')
    counted.rows += countRows(body)
    counted.bytes += body.length
    counted.parts.push({ bytes: body.length, sha256: hash('sha256', body) })
    current.hash.update(body)
    this.#note(table, body)
    if (table.name === 'installation') this.#noteInstallation(table, body)
    return table
  }

  /** The first two are enough to know that there are too many. */
  #noteInstallation(table: TableHead, body: Buffer): void {
    for (const id of fieldsIn(body, table.columns.indexOf('id'))) {
      if (this.#installations.push(id?.toString('latin1', 0, 36) ?? '') > 1) return
    }
  }

  /** The blobs' own rows come before every row that refers to one. */
  #note(table: TableHead, body: Buffer): void {
    if (table.blob_column === null) return
    for (const sha256 of hashesIn(body, table.columns.indexOf(table.blob_column))) {
      const holds =
        sha256 !== null && (table.name === 'blobs' ? this.#named.add(sha256) : this.#named.has(sha256))
      if (!holds) throw damaged('a row names an attachment that is not in it')
    }
  }

  blob(name: string, body: Buffer): string {
    const sha256 = name.slice('blobs/'.length)
    if (hash('sha256', body) !== sha256) throw damaged('an attachment has other bytes than its name says')
    if (!this.#named.has(sha256) || !this.#blobs.add(sha256)) {
      throw damaged('it has an attachment that no row names, or out of its order')
    }
    this.#blobBytes += body.length
    return sha256
  }

  compare(manifest: Manifest): void {
    const { tables, blobs, ...rest } = manifest
    const heads = tables.map(({ name, columns, blob_column }) => ({ name, columns, blob_column }))
    if (JSON.stringify({ ...rest, tables: heads }) !== JSON.stringify(this.#head)) {
      throw damaged('its manifest is of another archive')
    }
    for (const [index, { counted, hash }] of this.#tables.entries()) {
      const told = tables[index]
      const { rows, bytes, parts } = told ?? { rows: -1, bytes: -1, parts: [] }
      const same = rows === counted.rows && bytes === counted.bytes && told?.sha256 === hash.digest('hex')
      if (!same || JSON.stringify(parts) !== JSON.stringify(counted.parts)) {
        throw damaged('a table does not have the rows that its manifest says')
      }
    }
    if (this.#installations.length !== 1 || this.#installations[0] !== this.#head.installation_id) {
      throw damaged('it is not of the one installation that its head names')
    }
    this.#compareBlobs(blobs)
  }

  #compareBlobs(told: Manifest['blobs']): void {
    const missing = new Set(told.missing)
    const names = createHash('sha256')
    for (let index = 0; index < this.#named.count; index++) {
      const name = this.#named.at(index)
      if (this.#blobs.has(name) === missing.has(name))
        throw damaged('an attachment that a row names is not in it')
      if (!missing.has(name)) names.update(Buffer.from(name, 'hex'))
    }
    const counted = this.#blobs.count === told.count && this.#blobBytes === told.bytes
    if (!counted || names.digest('hex') !== told.sha256) {
      throw damaged('it does not have the attachments that its manifest says')
    }
  }
}
