import type { Executor } from '../database/pool.ts'

/** A blob that an attachment, or a mail as it came, refers to. */
export type ReferredBlob = {
  /** In lower-case hexadecimal. */
  sha256: string
  size: number
}

/** Blobs that are referred to, in the order of their names, after this one. */
export async function referredAfter(sql: Executor, sha256: string, limit: number): Promise<ReferredBlob[]> {
  return sql<ReferredBlob[]>`
    SELECT encode(sha256, 'hex') AS sha256, size FROM blobs b
    WHERE sha256 > decode(${sha256}, 'hex')
      AND (EXISTS (SELECT FROM attachments a WHERE a.sha256 = b.sha256)
        OR EXISTS (SELECT FROM inbound_mails i WHERE i.sha256 = b.sha256))
    ORDER BY b.sha256 LIMIT ${limit}`
}
