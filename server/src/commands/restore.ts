import { join } from 'node:path'
import { restore } from '../backup/restore.ts'
import { BlobFolder } from '../blobs/blob-folder.ts'
import { readEnvironment } from '../config.ts'
import { startEmbedded } from '../database/embedded/embedded.ts'
import { MIGRATIONS } from '../database/migrations.ts'
import type { DatabaseEndpoint } from '../database/pool.ts'
import { createLog } from '../log.ts'
import { describe, openArchive, refuseMissing } from './backup.ts'
import { untilInterrupted } from './interruption.ts'
import { createProgressBar } from './progress-bar.ts'

export type RestoreOptions = { hold?: boolean; sameAttachments?: boolean }

/** `bellhop restore FILE`: brings an archive into an empty database, embedded or DATABASE_URL. */
export async function restoreCommand(
  file: string,
  options: RestoreOptions,
  out: NodeJS.WritableStream,
  terminal: NodeJS.WriteStream,
): Promise<void> {
  const { databaseUrl, dataDir } = readEnvironment(process.env)
  const hold = options.hold === true
  const sameAttachments = options.sameAttachments === true
  const blobs = new BlobFolder(join(dataDir, 'blobs'))
  const bar = createProgressBar(terminal)
  const { manifest, uncertain, undelivered, held } = await untilInterrupted((signal) =>
    openArchive(file, bar.begin, async (source) => {
      const bring = (endpoint: DatabaseEndpoint) =>
        restore({
          endpoint,
          blobs,
          source,
          migrations: MIGRATIONS,
          hold,
          sameAttachments,
          progress: bar,
          signal,
        })
      if (databaseUrl !== null) return await bring({ kind: 'url', url: databaseUrl })
      // Never a running server's: it has a database that is in use.
      const log = createLog({ level: 'silent', pretty: false })
      const embedded = await startEmbedded({ dataDir, command: 'bellhop restore', log })
      try {
        return await bring(embedded.endpoint)
      } finally {
        await embedded.stop()
      }
    }),
  ).finally(bar.clear)
  out.write(`Restored ${describe(manifest)}.\n`)
  out.write(
    `Deliveries not finished: ${undelivered}` +
      (uncertain > 0 ? `; ${uncertain} of them were under way, and may arrive twice.\n` : '.\n'),
  )
  if (held) out.write('Delivery is on hold: bellhop deliveries release\n')
  refuseMissing(manifest)
}
