import type { BlobFolder } from '../blobs/blob-folder.ts'
import type { Backups } from '../config.ts'
import { MIGRATIONS } from '../database/migrations.ts'
import type { DatabaseEndpoint } from '../database/pool.ts'
import { whileAlone } from './alone.ts'
import { BackupFolder } from './backup-folder.ts'
import { BackupSchedule, type BackupScheduleDeps } from './schedule.ts'
import { writeBackup } from './write-backup.ts'

type Watching = Pick<BackupScheduleDeps, 'observe' | 'log' | 'random' | 'now' | 'look'>

/** The schedule that the operator asked for, of this database and its blobs. */
export function scheduleBackups(
  { folder, every, keep }: Backups,
  { endpoint, blobs, ...watching }: { endpoint: DatabaseEndpoint; blobs: BlobFolder } & Watching,
): BackupSchedule {
  return new BackupSchedule({
    ...watching,
    folder: new BackupFolder(folder),
    every,
    keep,
    async write(file, signal) {
      const { manifest, bytes } = await writeBackup({ endpoint, blobs, file, migrations: MIGRATIONS, signal })
      return { bytes, missing: manifest.blobs.missing.length }
    },
    alone: (work) => whileAlone(endpoint, work),
  })
}
