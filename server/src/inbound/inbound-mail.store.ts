import type { Executor } from '../database/pool.ts'

/** By which way a mail came. */
export type InboundWay = 'imap' | 'http' | 'command'

/** A mail whose bytes lie in the blobs' folder already. */
export type InboundMailRow = {
  brandId: string
  /** UUID. */
  mailId: string
  way: InboundWay
  /** Of the bytes that were kept. */
  sha256: Buffer
  /** Bytes that were kept. */
  keptSize: number
  /** Bytes of the mail as it came; more than were kept where only its head was. */
  size: number
  headOnly: boolean
  /** Of the signed request that brought it, 32 bytes; null: it came otherwise. */
  requestDigest: Buffer | null
}

/**
 * Keeps mails, each with the blob that it refers to, in one statement and so in one COMMIT. Where the request that
 * brings one was seen before, nothing is kept of it.
 * @returns in the order of the rows: null where it was kept, else the id of the mail that its request brought before
 */
export async function keepInboundMails(sql: Executor, rows: InboundMailRow[]): Promise<(string | null)[]> {
  const mails = JSON.stringify(rows.map(toJson))
  // The rows go in by the order of their digests, so that two processes never wait for each other's.
  const kept = await sql<{ id: string }[]>`
    WITH asked AS MATERIALIZED (
      SELECT brand_id, id, way, decode(sha256, 'hex') AS sha256, kept_size, size, head_only,
        decode(request_digest, 'hex') AS request_digest
      FROM json_to_recordset(${mails}::text::json) AS m(brand_id text, id uuid, way text, sha256 text,
        kept_size bigint, size bigint, head_only boolean, request_digest text)
    ),
    blob AS (
      INSERT INTO blobs (sha256, size) SELECT DISTINCT ON (sha256) sha256, kept_size FROM asked ORDER BY sha256
      ON CONFLICT (sha256) DO UPDATE SET size = excluded.size
    )
    INSERT INTO inbound_mails (brand_id, id, way, sha256, size, head_only, request_digest)
    SELECT brand_id, id, way, sha256, size, head_only, request_digest FROM asked
    ORDER BY brand_id, request_digest
    ON CONFLICT (brand_id, request_digest) WHERE request_digest IS NOT NULL DO NOTHING
    RETURNING id`
  const keptIds = new Set(kept.map(({ id }) => id))
  if (keptIds.size === rows.length) return rows.map(() => null)
  const before = await findByRequest(
    sql,
    rows.filter(({ mailId }) => !keptIds.has(mailId)),
  )
  return rows.map((row) => {
    if (keptIds.has(row.mailId)) return null
    const id = before.get(requestKey(row.brandId, row.requestDigest))
    if (id === undefined) throw new Error('a mail was neither kept nor there before')
    return id
  })
}

async function findByRequest(sql: Executor, rows: InboundMailRow[]): Promise<Map<string, string>> {
  const asked = JSON.stringify(rows.map(toJson))
  const found = await sql<{ brandId: string; id: string; requestDigest: Buffer }[]>`
    SELECT m.brand_id AS "brandId", m.id, m.request_digest AS "requestDigest"
    FROM json_to_recordset(${asked}::text::json) AS a(brand_id text, request_digest text)
    JOIN inbound_mails m ON m.brand_id = a.brand_id AND m.request_digest = decode(a.request_digest, 'hex')`
  return new Map(found.map(({ brandId, id, requestDigest }) => [requestKey(brandId, requestDigest), id]))
}

function requestKey(brandId: string, digest: Buffer | null): string {
  return `${digest?.toString('hex')} ${brandId}`
}

function toJson(row: InboundMailRow): object {
  return {
    brand_id: row.brandId,
    id: row.mailId,
    way: row.way,
    sha256: row.sha256.toString('hex'),
    kept_size: row.keptSize,
    size: row.size,
    head_only: row.headOnly,
    request_digest: row.requestDigest?.toString('hex') ?? null,
  }
}
