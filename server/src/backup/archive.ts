import Type, { type Static, type TSchema } from 'typebox'
import { Check } from 'typebox/schema'
import { OperatorError } from '../errors.ts'

/**
 * What an archive holds, in this order:
 *
 * | entry | |
 * | --- | --- |
 * | `archive.json` | of which schema the rows are, so that a restore knows it before the first row |
 * | `tables/<table>/000001.copy` … | a table's rows, some MiB in each part, in PostgreSQL's COPY text format |
 * | `blobs/<sha256>` … | attachments' bytes, in the order of their names |
 * | `manifest.json` | what there must be: counts, bytes and hashes |
 *
 * All of it is one tar, compressed by Zstandard, and sealed (seal.ts).
 */
export const HEAD = 'archive.json'
export const MANIFEST = 'manifest.json'

/** Raised when a program that knows this one cannot read the archive any more. */
export const FORMAT = 1

/** Rows are cut into parts of about so many bytes: what is in memory at a time. */
export const PART_BYTES = 4 * 1024 * 1024

const sha256 = Type.String({ pattern: '^[0-9a-f]{64}$' })
const count = Type.Integer({ minimum: 0 })
/** It is shown to the operator, so nothing that a terminal would obey. */
const words = Type.String({ pattern: '^[ -~]{1,200}$' })
const identifier = Type.String({ pattern: '^[a-z_][a-z0-9_]{0,62}$' })

const tableHead = {
  name: identifier,
  columns: Type.Array(identifier, { minItems: 1 }),
  /** The column that names a blob by its SHA-256, in `blobs` itself and in what refers to it. */
  blob_column: Type.Union([identifier, Type.Null()]),
}

const head = {
  format: Type.Literal('bellhop-archive'),
  format_version: Type.Literal(FORMAT),
  bellhop: words,
  schema_version: Type.Integer({ minimum: 1 }),
  postgresql: words,
  installation_id: Type.String({ pattern: '^[0-9a-f-]{36}$' }),
  /** The moment of the snapshot, RFC 3339 in UTC. */
  taken_at: Type.String({ format: 'date-time', pattern: '^[0-9T:.-]{23}Z$' }),
}

const Head = Type.Object({
  ...head,
  /** In an order in which each comes after those that it refers to. */
  tables: Type.Array(Type.Object(tableHead)),
})
export type Head = Static<typeof Head>
export type TableHead = Head['tables'][number]

const Manifest = Type.Object({
  ...head,
  tables: Type.Array(
    Type.Object({
      ...tableHead,
      rows: count,
      bytes: count,
      /** Of all parts together. */
      sha256,
      parts: Type.Array(Type.Object({ bytes: count, sha256 })),
    }),
  ),
  blobs: Type.Object({
    count,
    bytes: count,
    /** Of all their names, 32 bytes each. The hash of a blob is its name. */
    sha256,
    /** Names of blobs that a row refers to and that could not be read when the archive was made. */
    missing: Type.Array(sha256),
  }),
})
export type Manifest = Static<typeof Manifest>

/** @throws OperatorError where it is no head that this program can read */
export function parseHead(body: Buffer): Head {
  const value = parseJson(body, HEAD)
  if (isNewerFormat(value)) {
    throw new OperatorError('The archive has a newer form than this program knows: use a newer Bellhop')
  }
  return hold(Head, value, HEAD)
}

/** @throws OperatorError where it is no manifest */
export function parseManifest(body: Buffer): Manifest {
  return hold(Manifest, parseJson(body, MANIFEST), MANIFEST)
}

export function toJson(value: Head | Manifest): Buffer {
  return Buffer.from(`${JSON.stringify(value, null, 2)}\n`)
}

/** What is wrong with an archive, as a sentence for the operator. */
export function damaged(what: string): OperatorError {
  return new OperatorError(`The archive is damaged: ${what}`)
}

function hold<T extends TSchema>(schema: T, value: unknown, entry: string): Static<T> {
  if (!Check(schema, value)) throw damaged(`${entry} does not say what it should`)
  return value as Static<T>
}

function parseJson(body: Buffer, entry: string): unknown {
  try {
    return JSON.parse(body.toString('utf8'))
  } catch {
    throw damaged(`${entry} is not JSON`)
  }
}

function isNewerFormat(value: unknown): boolean {
  if (typeof value !== 'object' || value === null || !('format_version' in value)) return false
  return typeof value.format_version === 'number' && value.format_version > FORMAT
}
